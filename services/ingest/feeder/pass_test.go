package feeder_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/ingest/feeder"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

// TestOnePageIsReadAhead, and no more, while one can't be stored.
func TestOnePageIsReadAhead(t *testing.T) {
	t.Parallel()
	v := newVendor(95)
	r := newRig(t, v)
	goOn := make(chan struct{})
	var held atomic.Bool
	r.publisher = publishing(func(ctx context.Context, msgs ...bus.Message) error {
		held.Store(true)
		<-goOn
		return r.group.Publish(ctx, msgs...)
	})
	r.run()
	r.request(time.Time{}, events.EntityProduct)
	r.await("the first page", func() bool { return held.Load() && len(v.asked()) == 2 })
	for range 50 { // whoever would read on has had many turns
		_, err := r.store.Catalog(t.Context())
		require.NoError(t, err)
	}
	require.Len(t, v.asked(), 2)
	close(goOn)
	r.done("item")
	r.each("item")
}

// TestAPageIsASpan that its events continue, and is counted.
func TestAPageIsASpan(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor(25))
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	registry := prometheus.NewRegistry()
	f, err := feeder.New(t.Context(), r.config(), feeder.Deps{
		Bus: r.bus, Publisher: r.publisher, Log: slog.New(slog.DiscardHandler), Tracer: provider.Tracer(""), Meter: feeder.NewMeter(registry),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	r.request(time.Time{}, events.EntityProduct)
	r.done("item")
	cancel()
	<-done
	require.Len(t, spans.GetSpans(), 3)
	ids := map[string]bool{}
	for _, s := range spans.GetSpans() {
		require.Equal(t, "read page", s.Name)
		require.False(t, s.Parent.IsValid())
		ids[s.SpanContext.TraceID().String()] = true
	}
	require.Len(t, ids, 3)
	pages, err := testutil.GatherAndCount(registry, "spoke_feed_pages_total")
	require.NoError(t, err)
	require.Equal(t, 1, pages)
	require.Positive(t, mustGather(t, registry, "spoke_feed_lag_seconds"), "of the feed that is polled")
}

func mustGather(t *testing.T, g prometheus.Gatherer, name string) int {
	t.Helper()
	n, err := testutil.GatherAndCount(g, name)
	require.NoError(t, err)
	return n
}
