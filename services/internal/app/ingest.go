package app

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/ingest/feeder"
	"github.com/spoke-sync/spoke/services/ingest/receiver"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
)

// Ingest is the ingest service.
func Ingest() Service {
	return Service{Name: IngestName, Run: runIngest}
}

const (
	readHeaderLimit = 5 * time.Second
	readLimit       = 30 * time.Second
	idleLimit       = 2 * time.Minute
	drainLimit      = 15 * time.Second
)

func runIngest(ctx context.Context, e *Env, ready func()) error {
	conns, err := e.ConnectAll(IngestName)
	if err != nil {
		return err
	}
	group := bus.NewGroup(e.Bus)
	defer group.Close()
	r, err := newReceiver(e, conns, group)
	if err != nil {
		return err
	}
	f, err := newFeeder(ctx, e, conns, group)
	if err != nil {
		return err
	}
	l, err := Listen(ctx, e.Config.HTTP.Listen, "http.listen (or --listen)")
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: r, ReadHeaderTimeout: readHeaderLimit, ReadTimeout: readLimit, IdleTimeout: idleLimit,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	e.Log.Info("ingest: listening", "address", l.Addr().String())
	var reading sync.WaitGroup
	defer reading.Wait()
	readCtx, stopReading := context.WithCancel(ctx)
	defer stopReading()
	reading.Go(func() { f.Run(readCtx) })
	ready()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	r.Drain()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer cancel()
	if err := server.Shutdown(stop); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func newReceiver(e *Env, conns map[string]connector.Connector, group *bus.Group) (*receiver.Receiver, error) {
	webhooks := map[string]connector.Webhooks{}
	for name, c := range conns {
		webhooks[name] = c.Webhooks
	}
	var upstreams []receiver.Upstream
	for _, name := range slices.Sorted(maps.Keys(e.Config.Upstreams)) {
		upstreams = append(upstreams, receiver.Upstream{Name: name, Token: e.Config.Upstreams[name].Token})
	}
	c := receiver.DefaultConfig()
	c.Tenant, c.PublicURL = e.Config.Tenant, e.Config.HTTP.PublicURL
	c.MaxMessage = e.Bus.Conn().MaxPayload()
	return receiver.New(c, receiver.Deps{
		Webhooks: webhooks, Upstreams: upstreams, Publisher: group, Apart: e.apart, Hears: e.hears, Ready: receiver.BusReady(e.Bus),
		Registry: e.Registry, Tracer: e.Tracer(IngestName), Log: e.Log,
	})
}

// apart stores a message on QUARANTINE.
func (e *Env) apart(ctx context.Context, m bus.Message) error {
	_, err := e.Bus.Publish(ctx, m)
	return err
}

// hears reports whether a connection's webhook counts. What is polled is not
// heard of by webhooks too, but for what no poll may tell: that an object is
// gone. A person's wish to be forgotten is always heard.
func (e *Env) hears(connection string, entity events.Entity, op events.Op) bool {
	return heard(e.Config.SyncMode(connection, entity), op)
}

func heard(mode config.Mode, op events.Op) bool {
	switch op {
	case events.OpErased:
		return true
	case events.OpDeleted, events.OpMerged:
		return !mode.Off
	default:
		return mode.RealTime()
	}
}

func newFeeder(ctx context.Context, e *Env, conns map[string]connector.Connector, group *bus.Group) (*feeder.Feeder, error) {
	c := feeder.Config{Tenant: e.Config.Tenant, Owner: e.owner}
	for _, name := range e.Config.ConnectionNames() {
		c.Connections = append(c.Connections, feeder.Connection{
			Name: name, Kind: e.Config.Kind(name), Scanner: conns[name].Scanner,
			Mode:    func(entity events.Entity) config.Mode { return e.Config.SyncMode(name, entity) },
			Breaker: e.breakers[name],
		})
	}
	deps := feeder.Deps{
		Bus: e.Bus, Publisher: group, Log: e.Log, Tracer: e.Tracer(IngestName), Meter: feeder.NewMeter(e.Registry),
	}
	return opened(ctx, e.Log, func(ctx context.Context) (*feeder.Feeder, error) { return feeder.New(ctx, c, deps) })
}
