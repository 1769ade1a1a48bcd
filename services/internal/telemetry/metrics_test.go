package telemetry_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/telemetry"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := telemetry.NewRegistry()
	first := telemetry.Counter(reg, "calls_total", "Calls.", "connection")
	second := telemetry.Counter(reg, "calls_total", "Calls.", "connection")
	first.WithLabelValues("stripe").Inc()
	second.WithLabelValues("stripe").Inc()
	telemetry.Gauge(reg, "lag", "Lag.").WithLabelValues().Set(3)
	telemetry.Seconds(reg, "wait_seconds", "Wait.").WithLabelValues().Observe(0.5)
	telemetry.Counter(nil, "free_total", "Unregistered.").WithLabelValues().Inc()

	w := httptest.NewRecorder()
	telemetry.Handler(reg).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, 200, w.Code)
	for _, want := range []string{
		`spoke_calls_total{connection="stripe"} 2`, "spoke_lag 3", `spoke_wait_seconds_bucket{le="0.512"} 1`,
		"go_goroutines ", "process_start_time_seconds ",
	} {
		require.Contains(t, w.Body.String(), want)
	}
	require.NotContains(t, w.Body.String(), "free_total")
	require.Panics(t, func() { telemetry.Counter(reg, "calls_total", "Calls.", "other") })
	require.Panics(t, func() { telemetry.Gauge(reg, "calls_total", "Calls.", "connection") })
}
