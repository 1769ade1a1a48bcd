package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/catalog"
	"github.com/spoke-sync/spoke/services/internal/bus"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/spoke/node"
)

// where says which Spoke a command looks at.
type where struct {
	Config string `short:"c" help:"Configuration file, for a Spoke on a NATS server."`
	Data   string `default:"spoke-data" help:"Data folder of spoke up."`
	JSON   bool   `help:"Print JSON."`
}

// defaultData is the default of where.Data.
const defaultData = "spoke-data"

// owner names whose word counts for a field.
func (st *store) owner(e events.Entity, field string) string {
	for _, name := range []string{field, "default"} {
		if o := st.owners[e][name]; o != "" {
			return o
		}
	}
	return "newest"
}

// store is an open connection to what a Spoke holds.
type store struct {
	bus    *bus.Bus
	tenant string
	owners map[events.Entity]map[string]string
	// running is false when the data folder's Spoke is stopped and was opened
	// just to look.
	running bool
	close   func()
}

// dialLimit bounds the wait for a server that does not answer.
const dialLimit = 5 * time.Second

// open connects to the configured server, to the running spoke up, or, when
// that is stopped, to its data folder.
func (w where) open(ctx context.Context) (*store, error) {
	if w.Config != "" {
		cfg, err := config.Load(w.Config, catalog.Kinds())
		if err != nil {
			return nil, err
		}
		if cfg.NATS.URL != "" {
			return w.dial(ctx, bus.Options{URL: cfg.NATS.URL, Credentials: cfg.NATS.Credentials}, node.Running{Tenant: cfg.Tenant, Owners: cfg.Owners()})
		}
		w.Data = cfg.Data
	}
	r, err := node.Find(w.Data)
	if err != nil {
		return nil, err
	}
	srv, err := embed.Start(embed.Options{Dir: w.Data})
	if errors.Is(err, embed.ErrLocked) { // somebody has the folder: ask that process
		return w.dial(ctx, bus.Options{URL: r.URL}, r)
	}
	if err != nil {
		return nil, err
	}
	st, err := w.dial(ctx, bus.Options{InProcess: srv}, r)
	if err != nil {
		srv.Stop()
		return nil, err
	}
	st.running = false
	st.close = func() { st.bus.Close(); srv.Stop() }
	return st, nil
}

func (w where) dial(ctx context.Context, o bus.Options, r node.Running) (*store, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	o.Name, o.Log = "spoke-cli", slog.New(slog.DiscardHandler)
	b, err := bus.Connect(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("%w\nis Spoke running? spoke up starts it", err)
	}
	return &store{bus: b, tenant: r.Tenant, owners: r.Owners, running: true, close: b.Close}, nil
}
