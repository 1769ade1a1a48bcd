package app

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/spoke-sync/spoke/services/ingest/receiver"
	"github.com/spoke-sync/spoke/services/internal/bus"
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
		Webhooks: webhooks, Upstreams: upstreams, Publisher: group, Ready: receiver.BusReady(e.Bus),
		Registry: e.Registry, Tracer: e.Tracer(IngestName), Log: e.Log,
	})
}
