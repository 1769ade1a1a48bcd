package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// scope names the instrumentation of Spoke's own spans.
const scope = "github.com/spoke-sync/spoke"

// Tracer returns the tracer of one service. Several services may share a
// process; each one's spans carry its own name, and all leave by one
// exporter. Called before Setup, or with tracing off, it costs nothing.
func Tracer(service string) trace.Tracer { return Provider(service).Tracer(scope) }

// providers is the process's tracer provider: one SDK provider per service,
// since a provider has a single resource, with one processor for all.
type providers struct {
	embedded.TracerProvider
	processor sdktrace.SpanProcessor
	service   string // the process's own
	version   string

	mu        sync.Mutex
	byService map[string]*sdktrace.TracerProvider
}

var _ trace.TracerProvider = (*providers)(nil)

func newProviders(exporter sdktrace.SpanExporter, service, version string) *providers {
	return &providers{
		processor: sdktrace.NewBatchSpanProcessor(exporter), service: service, version: version,
		byService: make(map[string]*sdktrace.TracerProvider),
	}
}

// Tracer makes libraries' spans those of the process's own service. A library
// that finds a span in its context uses that span's provider instead.
func (p *providers) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return p.of(p.service).Tracer(name, opts...)
}

func (p *providers) of(service string) *sdktrace.TracerProvider {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.byService[service]; ok {
		return known
	}
	res, err := describe(context.Background(), service, p.version, service == p.service)
	if err != nil {
		slog.Warn("telemetry: resource is incomplete", "service", service, "error", err)
	}
	made := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p.processor), sdktrace.WithResource(res))
	p.byService[service] = made
	return made
}

// shutdown ends all providers. The first one to end ends the processor.
func (p *providers) shutdown(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	errs := []error{p.processor.Shutdown(ctx)}
	for _, made := range p.byService {
		errs = append(errs, made.Shutdown(ctx))
	}
	return errors.Join(errs...)
}
