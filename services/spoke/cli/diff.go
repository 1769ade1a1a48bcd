package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"text/tabwriter"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/catalog"
	"github.com/spoke-sync/spoke/services/internal/app"
	"github.com/spoke-sync/spoke/services/internal/audit"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/reconcile"
	"github.com/spoke-sync/spoke/services/internal/replay"
	"github.com/spoke-sync/spoke/services/spoke/node"
)

type diffCmd struct {
	Connection string        `arg:"" help:"The connection whose objects are read back."`
	Entity     events.Entity `arg:"" optional:"" help:"Only records of this entity."`
	Fix        bool          `help:"Write what should stand there, where it does not."`
	where      `embed:""`
}

// diffService is whose reads these are, in traces and metrics.
const diffService = "spoke-diff"

// Run implements the command.
func (c *diffCmd) Run(s *session) error {
	if c.Entity != "" && !c.Entity.Known() {
		return fmt.Errorf("%q is no entity", c.Entity)
	}
	running, err := c.environment(s)
	if err != nil {
		return err
	}
	defer running.Close()
	cfg := running.Config
	if _, ok := cfg.Connections[c.Connection]; !ok {
		return fmt.Errorf("no connection is named %q", c.Connection)
	}
	con, err := running.Connect(diffService, c.Connection)
	if err != nil {
		return err
	}
	var all []reconcile.Difference
	res, err := reconcile.Run(s.ctx, running.Bus, reconcile.Config{
		Tenant: cfg.Tenant, Connection: c.Connection, Kind: cfg.Kind(c.Connection), Reader: con.Reader, Flows: running.Flows, Entity: c.Entity,
	}, func(d reconcile.Difference) error { all = append(all, d); return nil })
	if err != nil {
		return err
	}
	fixed := 0
	if c.Fix {
		if fixed, err = c.fix(s, running, all); err != nil {
			return err
		}
	}
	if c.JSON {
		return s.json(map[string]any{"summary": res, "differences": all, "fixed": fixed})
	}
	c.print(s, res, all, fixed)
	if len(all) > fixed {
		return errFailed
	}
	return nil
}

// environment opens what the services of the installation share: by the
// configuration that is named, or by that of the Spoke that runs on the folder.
func (c *diffCmd) environment(s *session) (*app.Env, error) {
	var r node.Running
	var err error
	if c.Config == "" {
		if r, err = node.Find(c.Data); err != nil {
			return nil, err
		}
		if c.Config = r.Config; c.Config == "" {
			return nil, errors.New("reading a vendor needs its credentials: name the configuration with -c")
		}
	}
	cfg, err := config.Load(c.Config, catalog.Kinds())
	if err != nil {
		return nil, err
	}
	if cfg.NATS.URL == "" && r.URL == "" {
		if r, err = node.Find(cfg.Data); err != nil {
			return nil, err
		}
	}
	e, err := app.Open(s.ctx, app.Options{
		Config: cfg, Log: slog.New(slog.DiscardHandler), Version: catalog.Version, Name: diffService, URL: r.URL,
	})
	if err != nil {
		return nil, fmt.Errorf("%w\nis Spoke running? spoke up starts it", err)
	}
	return e, nil
}

// fix asserts the documents of the records that differ, each once. What is
// pending is on its way by itself.
func (c *diffCmd) fix(s *session, e *app.Env, all []reconcile.Difference) (fixed int, err error) {
	r := replay.New(e.Bus, audit.New(e.Bus, e.Config.Tenant, audit.Actor()), e.Config.Tenant)
	done := map[events.Key]bool{}
	for _, d := range all {
		if d.What == reconcile.Pending {
			continue
		}
		if !done[d.Record] {
			if err := r.Assert(s.ctx, c.Connection, d.Record); err != nil {
				return fixed, err
			}
			done[d.Record] = true
		}
		fixed++
	}
	return fixed, nil
}

func (c *diffCmd) print(s *session, res reconcile.Result, all []reconcile.Difference, fixed int) {
	if len(all) > 0 {
		t := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, "RECORD\tOBJECT\tID\tWHAT\tSHOULD BE\tIS")
		for _, d := range all {
			what, want, have := d.What, "", ""
			switch d.What {
			case reconcile.Pending:
				what = d.State
			case reconcile.Field:
				what, want, have = d.Field, brief(d.Want), brief(d.Have)
			}
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Record, d.Object, plain(d.ID), what, want, have)
		}
		_ = t.Flush()
		s.printf("\n")
	}
	s.printf("%d objects compared, %d differences", res.Compared, res.Differences)
	if res.Unreadable > 0 {
		s.printf(", %d can't be read by id", res.Unreadable)
	}
	s.printf("\n")
	if c.Fix {
		s.printf("%d are on the way to be mended\n", fixed)
	}
}

// brief shows a value in one short line.
func brief(v []byte) string {
	lines := show(v)
	if len(lines) > 1 {
		return fmt.Sprintf("%s and %d more", short(lines[0]), len(lines)-1)
	}
	return short(lines[0])
}
