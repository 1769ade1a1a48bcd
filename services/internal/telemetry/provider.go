package telemetry

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

// Provider returns the tracer provider of a service, for instrumentation that
// wants one.
func Provider(service string) trace.TracerProvider {
	global := otel.GetTracerProvider()
	if p, ok := global.(*providers); ok {
		return p.of(service)
	}
	return global
}
