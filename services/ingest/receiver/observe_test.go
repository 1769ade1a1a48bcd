package receiver_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/services/ingest/receiver"
)

func traced(t *testing.T) (*tracetest.InMemoryExporter, change) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.Background())) })
	return spans, func(_ *receiver.Config, d *receiver.Deps) { d.Tracer = provider.Tracer("ingest") }
}

// An event begins in the span of its request.
func TestSpan(t *testing.T) {
	t.Parallel()
	spans, tracing := traced(t)
	b := setup(t, tracing)
	resp, _ := b.call(hook(delivery))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Len(t, spans.GetSpans(), 1)
	span := spans.GetSpans()[0]
	require.Equal(t, "POST /webhooks/{connection}", span.Name)
	require.Equal(t, trace.SpanKindServer, span.SpanKind)
	require.Equal(t, codes.Unset, span.Status.Code)
	attrs := map[string]string{}
	for _, a := range span.Attributes {
		attrs[string(a.Key)] = a.Value.String()
	}
	require.Equal(t, map[string]string{
		"http.request.method": "POST", "http.route": "/webhooks/{connection}", "http.response.status_code": "200",
		"spoke.connection": "stripe", "spoke.code": "stored",
	}, attrs)

	want := "00-" + span.SpanContext.TraceID().String() + "-" + span.SpanContext.SpanID().String() + "-01"
	m, e := b.message(1)
	require.Equal(t, want, e.TraceParent)
	require.Equal(t, []string{want}, m.Header["traceparent"])
}

func TestSpanOfRefusals(t *testing.T) {
	t.Parallel()
	spans, tracing := traced(t)
	b := setup(t, tracing, func(_ *receiver.Config, d *receiver.Deps) { d.Publisher = failing{errors.New("x")} })
	b.call(hook(delivery, "X-Signature", "wrong"))
	b.call(postEvents(structured, order()))
	got := spans.GetSpans()
	require.Len(t, got, 2)
	require.Equal(t, codes.Unset, got[0].Status.Code, "a forger is no error of ours")
	require.Equal(t, "POST /events", got[1].Name)
	require.Equal(t, codes.Error, got[1].Status.Code)
	require.Equal(t, "unavailable", got[1].Status.Description)
}

// Rule 9: whatever goes wrong, what was sent stays out of logs, and tokens
// all the more.
func TestLogsHoldNoContent(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := setup(t, func(_ *receiver.Config, d *receiver.Deps) {
		d.Log = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		d.Publisher = failing{errors.New("store down")}
	})
	const private = "jane.doe@example.com"
	for _, req := range []*http.Request{
		hook(`[{"event":"e","id":"1","name":"` + private + `"}]`),
		hook(`{"` + private + `"`),
		hook(private, "X-Signature", private),
		hook(private, "X-Signature", "misconfigured"),
		postEvents(structured, order("A-7", private)),
		postEvents(structured, order(`"number":"A-7"`, `"number":["`+private+`"]`)),
		postEvents(structured, private),
		postEvents(structured, order("https://shop.example/orders", "http://"+private+" x/%zz")),
		postEvents(structured, order("2026-11-23T12:30:00+01:00", private)),
		postEvents(structured, order(), "Authorization", "Bearer "+private),
		postEvents("application/"+strings.Repeat(";", 3), private),
	} {
		resp, _ := b.call(req)
		require.GreaterOrEqual(t, resp.StatusCode, 400)
	}
	require.Contains(t, out.String(), "request refused")
	require.NotContains(t, out.String(), private)
	require.NotContains(t, out.String(), token)
	require.Contains(t, out.String(), "store down", "an operator must learn why")
}
