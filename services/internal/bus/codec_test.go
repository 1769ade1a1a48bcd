package bus_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/bus"
)

const (
	startTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	hopTrace   = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

func sample() events.Event {
	c := events.Change{
		Connection: "x", Entity: events.EntityDeal, Object: "deal", ID: "1", Op: events.OpChanged,
		At: time.Date(2026, 11, 23, 9, 0, 0, 123, time.UTC), Fields: events.Fields{"name": json.RawMessage(`"ü\n\"<&>"`)},
	}
	e := events.NewChange("x", "id-1", c)
	e.TraceParent, e.TraceState = startTrace, "v=1"
	return e
}

// TestCodec also holds rule 10: the headers are Spoke's own.
func TestCodec(t *testing.T) { //nolint:paralleltest // the propagator belongs to the process
	before := otel.GetTextMapPropagator()
	t.Cleanup(func() { otel.SetTextMapPropagator(before) })
	otel.SetTextMapPropagator(propagation.TraceContext{})
	hop := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": hopTrace})
	e := sample()
	m, err := bus.EncodeEvent(hop, "events.t.x.deal.changed.1", e)
	require.NoError(t, err)
	require.Equal(t, nats.Header{
		"Content-Type": {events.ContentType}, "ce-id": {e.ID}, "ce-type": {e.Type}, "ce-source": {e.Source}, "traceparent": {hopTrace},
	}, m.Header)
	s := bus.Stored{Subject: m.Subject, Header: m.Header, Data: m.Data}
	back, err := bus.DecodeEvent(s)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(e, back))
	require.False(t, bus.IsOutcome(s))

	h, _, err := events.DecodeChange(m.Data)
	require.NoError(t, err)
	// The hop before is continued; without it, the trace that the event began in.
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", bus.Origin(context.Background(), m.Header, h).TraceID().String())
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", bus.Origin(context.Background(), nats.Header{}, h).TraceID().String())
	require.False(t, bus.Origin(context.Background(), nats.Header{}, events.Heading{}).IsValid())
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c",
		trace.SpanContextFromContext(bus.ExtractEvent(context.Background(), nats.Header{}, e)).TraceID().String())

	own := nats.Header{"Nats-Batch-Id": {"b"}, "Nats-Rollup": {"all"}, "Nats-Msg-Id": {"m"}, "Nats-Expected-Last-Subject-Sequence": {"3"}}
	for k, v := range m.Header {
		own[k] = v
	}
	require.Equal(t, m.Header, bus.OwnHeader(own), "what the server or a batch added is left out")
}

func TestOutcomeIsToldByItsHeader(t *testing.T) {
	t.Parallel()
	e := events.NewOutcome("erp", "id", events.Outcome{Connection: "erp", Entity: events.EntityOrder, Object: "order", State: events.StateDone})
	m, err := bus.EncodeEvent(t.Context(), "s", e)
	require.NoError(t, err)
	require.True(t, bus.IsOutcome(bus.Stored{Header: m.Header}))
	require.False(t, bus.IsOutcome(bus.Stored{}))
}

func FuzzDecodeEvent(f *testing.F) {
	m, err := bus.EncodeEvent(context.Background(), "s", sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.Data)
	for _, s := range []string{"", "null", "{}", `{"specversion":"1.0"}`, `{"specversion":"1.0","id":"1","source":"s","type":"t","time":"x"}`, `[]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := bus.DecodeEvent(bus.Stored{Subject: "s", Seq: 7, Data: data})
		if err != nil {
			if !strings.Contains(err.Error(), "message 7") {
				t.Fatalf("which message? %v", err)
			}
			return
		}
		m, err := bus.EncodeEvent(context.Background(), "s", e)
		if err != nil {
			return // a time that has no written form
		}
		back, err := bus.DecodeEvent(bus.Stored{Data: m.Data})
		if err != nil {
			t.Fatalf("%q became %q: %v", data, m.Data, err)
		}
		if back.ID != e.ID || back.Type != e.Type || back.Source != e.Source || !back.Time.Equal(e.Time) {
			t.Fatalf("%q: %+v became %+v", data, e, back)
		}
	})
}
