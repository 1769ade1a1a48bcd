// Package telemetry sets up what a process tells about itself: OpenTelemetry
// traces and metrics by the standard OTEL_ variables, logs on stderr, and
// Prometheus metrics over HTTP.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	prometheusbridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// Option changes what Setup does.
type Option func(*options)

type options struct{ gatherer prometheus.Gatherer }

// Export sends the metrics of a Prometheus registry along with those of
// OpenTelemetry, when metrics are exported at all.
func Export(g prometheus.Gatherer) Option { return func(o *options) { o.gatherer = g } }

// Setup installs the process's tracer and meter providers and the W3C
// propagator. Traces are exported when OTEL_TRACES_EXPORTER or an OTLP
// endpoint is set. Metrics are there to be scraped; they are pushed too when
// OTEL_METRICS_EXPORTER or an endpoint just for them is set, since the common
// endpoint is often a Jaeger, which refuses them. What is not exported costs
// nothing. OTEL_SDK_DISABLED switches all off. OTEL_SERVICE_NAME outranks
// service.
//
// shutdown sends what is buffered; it waits no longer than its context. Setup
// is called once, by main.
func Setup(ctx context.Context, service, version string, opts ...Option) (shutdown func(context.Context) error, err error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	// Only the trace context: baggage from outside would travel on, onto
	// messages and to vendors (rule 10).
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Warn("telemetry", "error", err) }))

	stopTraces, err := setupTraces(ctx, service, version)
	if err != nil {
		return nil, fmt.Errorf("telemetry: traces: %w", err)
	}
	stopMetrics, err := setupMetrics(ctx, service, version, o.gatherer)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("telemetry: metrics: %w", err), stopTraces(ctx))
	}
	return func(ctx context.Context) error {
		return errors.Join(stopTraces(ctx), stopMetrics(ctx))
	}, nil
}

// wanted reports whether a signal (TRACES, METRICS) is exported: by its own
// variables, or by one of the others that are given.
func wanted(signal string, others ...string) bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	if exporter := os.Getenv("OTEL_" + signal + "_EXPORTER"); exporter != "" {
		return exporter != "none"
	}
	return slices.ContainsFunc(append(others, "OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT"),
		func(name string) bool { return os.Getenv(name) != "" })
}

func nothing(context.Context) error { return nil }

func setupTraces(ctx context.Context, service, version string) (func(context.Context) error, error) {
	if !wanted("TRACES", "OTEL_EXPORTER_OTLP_ENDPOINT") {
		otel.SetTracerProvider(tracenoop.NewTracerProvider())
		return nothing, nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, err
	}
	p := newProviders(exporter, service, version)
	otel.SetTracerProvider(p)
	return p.shutdown, nil
}

func setupMetrics(ctx context.Context, service, version string, g prometheus.Gatherer) (func(context.Context) error, error) {
	if !wanted("METRICS") {
		otel.SetMeterProvider(metricnoop.NewMeterProvider())
		return nothing, nil
	}
	if g != nil {
		autoexport.WithFallbackMetricProducer(func(context.Context) (metric.Producer, error) {
			return prometheusbridge.NewMetricProducer(prometheusbridge.WithGatherer(g)), nil
		})
	}
	reader, err := autoexport.NewMetricReader(ctx)
	if err != nil {
		return nil, err
	}
	res, err := describe(ctx, service, version, true)
	if err != nil {
		return nil, err
	}
	p := metric.NewMeterProvider(metric.WithReader(reader), metric.WithResource(res))
	otel.SetMeterProvider(p)
	return p.Shutdown, nil
}

// describe returns the resource of a service. For the process's own service
// the environment outranks the name; another service in the same process
// keeps its name.
func describe(ctx context.Context, service, version string, own bool) (*resource.Resource, error) {
	names := resource.WithAttributes(semconv.ServiceName(service), semconv.ServiceVersion(version))
	env := resource.WithFromEnv()
	if own {
		return resource.New(ctx, resource.WithHost(), resource.WithTelemetrySDK(), names, env)
	}
	return resource.New(ctx, resource.WithHost(), resource.WithTelemetrySDK(), env, names)
}
