package telemetry_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	collectmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collecttraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/spoke-sync/spoke/services/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector is an OTLP endpoint.
type collector struct {
	mu      sync.Mutex
	spans   map[string][]string // names by service
	version map[string]string
	metrics map[string]bool
}

// newCollector also clears every variable that would change what is tested.
// The environment and the global providers belong to the process, so none of
// these tests runs in parallel.
func newCollector(t *testing.T) (*collector, string) {
	t.Helper()
	for _, name := range []string{
		"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES",
		"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
		"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_TRACES_SAMPLER",
	} {
		t.Setenv(name, "")
	}
	c := &collector{spans: map[string][]string{}, version: map[string]string{}, metrics: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", c.traces)
	mux.HandleFunc("POST /v1/metrics", c.takeMetrics)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return c, server.URL
}

func (c *collector) traces(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var req collecttraces.ExportTraceServiceRequest
	if proto.Unmarshal(body, &req) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range req.GetResourceSpans() {
		attrs := map[string]string{}
		for _, a := range rs.GetResource().GetAttributes() {
			attrs[a.GetKey()] = a.GetValue().GetStringValue()
		}
		service := attrs["service.name"]
		c.version[service] = attrs["service.version"]
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				c.spans[service] = append(c.spans[service], s.GetName())
			}
		}
	}
}

func (c *collector) takeMetrics(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var req collectmetrics.ExportMetricsServiceRequest
	if proto.Unmarshal(body, &req) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rm := range req.GetResourceMetrics() {
		for _, sm := range rm.GetScopeMetrics() {
			for _, m := range sm.GetMetrics() {
				c.metrics[m.GetName()] = true
			}
		}
	}
}

func TestSpansCarryTheirService(t *testing.T) {
	c, url := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	shutdown, err := telemetry.Setup(t.Context(), "spoke", "1.2.3")
	require.NoError(t, err)

	ctx, receive := telemetry.Tracer("ingest").Start(t.Context(), "receive")
	_, merge := telemetry.Tracer("transform").Start(ctx, "merge")
	_, library := otel.Tracer("library").Start(t.Context(), "library")
	_, child := merge.TracerProvider().Tracer("otelhttp").Start(ctx, "call")
	require.Equal(t, receive.SpanContext().TraceID(), merge.SpanContext().TraceID())
	child.End()
	merge.End()
	receive.End()
	library.End()
	require.NoError(t, shutdown(context.Background()))

	require.Equal(t, []string{"receive"}, c.spans["ingest"])
	require.ElementsMatch(t, []string{"merge", "call"}, c.spans["transform"])
	require.Equal(t, []string{"library"}, c.spans["spoke"])
	require.Equal(t, map[string]string{"ingest": "1.2.3", "transform": "1.2.3", "spoke": "1.2.3"}, c.version)
	require.Empty(t, c.metrics, "metrics are not pushed to the common endpoint unasked")
	require.NoError(t, shutdown(context.Background()), "a second shutdown does nothing")
	telemetry.Tracer("late")
}

func TestServiceNameOfTheEnvironment(t *testing.T) {
	c, url := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url+"/v1/traces")
	t.Setenv("OTEL_SERVICE_NAME", "spoke-eu")
	shutdown, err := telemetry.Setup(t.Context(), "spoke", "1")
	require.NoError(t, err)
	for _, service := range []string{"spoke", "ingest"} {
		_, span := telemetry.Tracer(service).Start(t.Context(), service)
		span.End()
	}
	require.NoError(t, shutdown(context.Background()))
	require.Equal(t, map[string][]string{"spoke-eu": {"spoke"}, "ingest": {"ingest"}}, c.spans)
}

func TestTracingIsOff(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"nothing set": {},
		"none":        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
		"disabled":    {"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"},
	} {
		t.Run(name, func(t *testing.T) {
			newCollector(t)
			for k, v := range env {
				t.Setenv(k, v)
			}
			shutdown, err := telemetry.Setup(t.Context(), "ingest", "1")
			require.NoError(t, err)

			// What a caller began goes on through a service without tracing.
			const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
			ctx := otel.GetTextMapPropagator().Extract(t.Context(), propagation.MapCarrier{"traceparent": parent, "baggage": "a=b"})
			ctx, span := telemetry.Tracer("ingest").Start(ctx, "x")
			require.False(t, span.IsRecording())
			out := propagation.MapCarrier{}
			otel.GetTextMapPropagator().Inject(ctx, out)
			require.Equal(t, propagation.MapCarrier{"traceparent": parent}, out)
			require.NoError(t, shutdown(context.Background()))
		})
	}
}

func TestSetupRefusesUnknownExporters(t *testing.T) {
	newCollector(t)
	t.Setenv("OTEL_TRACES_EXPORTER", "carrier-pigeon")
	_, err := telemetry.Setup(t.Context(), "ingest", "1")
	require.ErrorContains(t, err, "telemetry: traces")
	t.Setenv("OTEL_TRACES_EXPORTER", "")
	t.Setenv("OTEL_METRICS_EXPORTER", "carrier-pigeon")
	_, err = telemetry.Setup(t.Context(), "ingest", "1")
	require.ErrorContains(t, err, "telemetry: metrics")
}

func TestMetricsArePushed(t *testing.T) {
	c, url := newCollector(t)
	t.Setenv("OTEL_METRICS_EXPORTER", "otlp")
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", url+"/v1/metrics")
	reg := telemetry.NewRegistry()
	telemetry.Counter(reg, "things_total", "Things.", "kind").WithLabelValues("a").Inc()
	shutdown, err := telemetry.Setup(t.Context(), "ingest", "1", telemetry.Export(reg))
	require.NoError(t, err)
	require.NoError(t, shutdown(context.Background()))
	require.Contains(t, c.metrics, "spoke_things_total")
	require.Empty(t, c.spans)
}
