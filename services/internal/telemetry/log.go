package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"go.opentelemetry.io/otel/trace"
)

// The variables that NewLogger reads.
const (
	// EnvLog is the level: debug, info (the default), warn or error.
	EnvLog = "SPOKE_LOG"
	// EnvLogFormat is json or text; by default text on a terminal.
	EnvLogFormat = "SPOKE_LOG_FORMAT"
)

// NewLogger returns the process's logger. Each line within a span has its
// trace_id and span_id. getenv is os.Getenv but for tests.
func NewLogger(w io.Writer, getenv func(string) string) (*slog.Logger, error) {
	var level slog.Level
	if name := getenv(EnvLog); name != "" {
		if err := level.UnmarshalText([]byte(name)); err != nil {
			return nil, fmt.Errorf("%s=%q: want debug, info, warn or error", EnvLog, name)
		}
	}
	opts := &slog.HandlerOptions{Level: level}
	var h slog.Handler
	switch format := getenv(EnvLogFormat); {
	case format == "json", format == "" && !terminal(w):
		h = slog.NewJSONHandler(w, opts)
	case format == "text", format == "":
		h = slog.NewTextHandler(w, opts)
	default:
		return nil, fmt.Errorf("%s=%q: want json or text", EnvLogFormat, format)
	}
	return slog.New(traced{h}), nil
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// traced adds the ids of the span in the context.
type traced struct{ slog.Handler }

func (t traced) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return t.Handler.Handle(ctx, r)
}

func (t traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{t.Handler.WithAttrs(attrs)} }

func (t traced) WithGroup(name string) slog.Handler { return traced{t.Handler.WithGroup(name)} }
