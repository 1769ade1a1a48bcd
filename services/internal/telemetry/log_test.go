package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/spoke-sync/spoke/services/internal/telemetry"
)

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestLoggerAddsTheSpan(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, env(nil))
	require.NoError(t, err)
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := trace.ContextWithSpanContext(t.Context(), span)
	log.With("service", "ingest").InfoContext(ctx, "hello", "event", "e1")
	log.Debug("hidden")

	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	delete(line, "time")
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "hello", "service": "ingest", "event": "e1",
		"trace_id": span.TraceID().String(), "span_id": span.SpanID().String(),
	}, line)
}

func TestLoggerSettings(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, env(map[string]string{"SPOKE_LOG": "warn", "SPOKE_LOG_FORMAT": "text"}))
	require.NoError(t, err)
	log.Info("hidden")
	log.WithGroup("g").Warn("shown", slog.Int("n", 1))
	require.Regexp(t, `^time=\S+ level=WARN msg=shown g\.n=1\n$`, out.String())

	_, err = telemetry.NewLogger(&out, env(map[string]string{"SPOKE_LOG": "loud"}))
	require.EqualError(t, err, `SPOKE_LOG="loud": want debug, info, warn or error`)
	_, err = telemetry.NewLogger(&out, env(map[string]string{"SPOKE_LOG_FORMAT": "xml"}))
	require.EqualError(t, err, `SPOKE_LOG_FORMAT="xml": want json or text`)

	file, err := os.CreateTemp(t.TempDir(), "log")
	require.NoError(t, err)
	defer file.Close()
	log, err = telemetry.NewLogger(file, env(nil))
	require.NoError(t, err)
	log.Info("x")
	content, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	require.True(t, json.Valid(content), "a file is no terminal")
}
