package e2e_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/catalog"
	"github.com/spoke-sync/spoke/services/internal/app"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/spoke/demo"
	"github.com/spoke-sync/spoke/services/spoke/node"
)

// oneNode is Spoke in the test's own process, as spoke up runs it.
type oneNode struct {
	boxes *demo.Sandboxes
	env   *app.Env
}

// newNode starts Spoke and the sandboxes on a folder, which may be that of an
// earlier run.
func newNode(t *testing.T, folder string) *oneNode {
	t.Helper()
	address := freeAddress(t)
	boxes, err := demo.Open(demo.SandboxOptions{Dir: filepath.Join(folder, "sandbox"), Ingest: "http://" + address, Log: discard()})
	require.NoError(t, err)
	t.Cleanup(boxes.Close)
	cfg, err := config.Parse("test", []byte(boxes.Config(folder, address)), catalog.Kinds())
	require.NoError(t, err)
	return &oneNode{boxes: boxes, env: runNode(t, cfg)}
}

// runNode runs all services until the test ends, and returns when they take
// work.
func runNode(t *testing.T, cfg *config.Config) *app.Env {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan *app.Env, 1), make(chan error, 1)
	go func() {
		ended <- node.Run(ctx, node.Options{
			Config: cfg, Services: catalog.Services(), Log: discard(), Version: catalog.Version,
			Ready: func(e *app.Env) { ready <- e },
		})
	}()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	select {
	case e := <-ready:
		return e
	case err := <-ended:
		ended <- err
		require.FailNow(t, "did not start", "%v", err)
		return nil
	}
}

// quiet waits until nothing is under way anywhere: the vendors have told all,
// and every service has done what it was given.
func (n *oneNode) quiet(t *testing.T) {
	t.Helper()
	durables := map[string]*bus.Puller{}
	open := func(stream, durable string) {
		p, err := n.env.Bus.Puller(t.Context(), stream, durable)
		require.NoError(t, err)
		durables[durable] = p
	}
	open(events.StreamEvents, bus.DurableTransform)
	for _, name := range n.env.Config.ConnectionNames() {
		open(events.StreamHub, bus.SinkDurable(name))
	}
	await(t, "nothing is under way", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		before, err := n.written(ctx)
		if err != nil || n.flush(ctx) != nil {
			return false
		}
		for _, p := range durables {
			if waiting, unacked, err := p.Pending(ctx); err != nil || waiting > 0 || unacked > 0 {
				return false
			}
		}
		after, err := n.written(ctx)
		return err == nil && before == after
	})
}

// flush delivers the webhooks that the vendors have not sent yet.
func (n *oneNode) flush(ctx context.Context) error {
	for _, f := range []func(context.Context) error{n.boxes.HubSpot.Flush, n.boxes.Stripe.Flush, n.boxes.QuickBooks.Hook().Flush} {
		if err := f(ctx); err != nil {
			return err
		}
	}
	return nil
}

// written returns the last sequences of EVENTS and HUB.
func (n *oneNode) written(ctx context.Context) (last [2]uint64, err error) {
	for i, name := range []string{events.StreamEvents, events.StreamHub} {
		s, err := n.env.Bus.JetStream().Stream(ctx, name)
		if err != nil {
			return last, err
		}
		last[i] = s.CachedInfo().State.LastSeq
	}
	return last, nil
}
