package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/match"
	"github.com/spoke-sync/spoke/services/internal/sink"
	"github.com/spoke-sync/spoke/services/transform/worker"
)

// Names of the services that are not sinks.
const (
	IngestName    = "ingest"
	TransformName = "transform"
	WarehouseName = "warehouse-sink"
)

// SinkName is the service that writes to connections of a kind.
func SinkName(kind string) string { return kind + "-sink" }

// Transform is the transform service.
func Transform() Service {
	return Service{Name: TransformName, Run: runTransform}
}

func runTransform(ctx context.Context, e *Env, ready func()) error {
	conns, err := e.ConnectAll(TransformName)
	if err != nil {
		return err
	}
	readers := map[string]connector.Reader{}
	for name, c := range conns {
		if c.Reader != nil {
			readers[name] = c.Reader
		}
	}
	policy, err := e.Config.MergePolicy()
	if err != nil {
		return err
	}
	c := worker.Config{
		Tenant: e.Config.Tenant, Kinds: e.Config.Kinds(), Flows: e.Flows, Policy: policy,
		Match: e.Config.Match.Over(match.Default()),
	}
	deps := worker.Deps{
		Bus: e.Bus, Readers: readers, Log: e.Log, Tracer: e.Tracer(TransformName), Meter: worker.NewMeter(e.Registry),
		Paused: e.Paused,
	}
	w, err := opened(ctx, e.Log, func(ctx context.Context) (*worker.Worker, error) { return worker.New(ctx, c, deps) })
	if err != nil {
		return err
	}
	ready()
	return w.Run(ctx)
}

// Sink is the service that writes to every connection of a kind.
func Sink(kind connector.Kind) Service {
	name := SinkName(kind.Name)
	return Service{Name: name, Run: func(ctx context.Context, e *Env, ready func()) error {
		return runSinks(ctx, e, name, kind, ready)
	}}
}

// hubSettle coalesces what several spokes say within a moment into one write
// to the hub.
const hubSettle = time.Second

func runSinks(ctx context.Context, e *Env, service string, kind connector.Kind, ready func()) error {
	meter := sink.NewMeter(e.Registry)
	var sinks []*sink.Sink
	for _, name := range e.Config.ConnectionNames() {
		if e.Config.Kind(name).Name != kind.Name {
			continue
		}
		s, err := openSink(ctx, e, service, name, meter)
		if err != nil {
			return err
		}
		if s != nil {
			sinks = append(sinks, s)
		}
	}
	ready()
	var wg sync.WaitGroup
	errs := make([]error, len(sinks))
	for i, s := range sinks {
		wg.Add(1)
		go func() { defer wg.Done(); errs[i] = s.Run(ctx) }()
	}
	if len(sinks) == 0 {
		e.Log.Info(service + ": no connection of this kind is configured")
		<-ctx.Done()
	}
	wg.Wait()
	return errors.Join(errs...)
}

func openSink(ctx context.Context, e *Env, service, name string, meter *sink.Meter) (*sink.Sink, error) {
	c, err := e.Connect(service, name)
	if err != nil {
		return nil, err
	}
	if c.Target == nil {
		return nil, nil //nolint:nilnil // a connection that is only read has no sink
	}
	kind := e.Config.Kind(name)
	settle := time.Duration(0)
	if kind.Hub {
		settle = hubSettle
	}
	if configured := e.Config.Connections[name].Settle; configured != nil {
		settle = *configured
	}
	config := sink.Config{
		Tenant: e.Config.Tenant, Connection: name, Kind: kind, Settle: settle, Owner: e.owner,
		HeldLimit: e.Config.Connections[name].HeldLimit,
		OnDemand:  func(object string) bool { return e.Flows.OnDemand(name, object) },
	}
	deps := sink.Deps{
		Bus: e.Bus, Target: c.Target, Log: e.Log, Tracer: e.Tracer(service), Meter: meter,
		Breaker: e.breakers[name], Budget: e.budgets[name],
	}
	s, err := opened(ctx, e.Log, func(ctx context.Context) (*sink.Sink, error) { return sink.New(ctx, config, deps) })
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", name, err)
	}
	return s, nil
}
