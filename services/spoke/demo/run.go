package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spoke-sync/spoke/services/internal/app"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/spoke/node"
)

// Options of Run.
type Options struct {
	// Data is the folder for everything, the sandboxes' state included.
	Data string
	// Listen is ingest's address.
	Listen string
	// Once ends after the story; JSON prints the report as JSON.
	Once bool
	JSON bool
	// Limit bounds the story.
	Limit    time.Duration
	Services []app.Service
	Kinds    []connector.Kind
	Version  string
	Log      *slog.Logger
	Out      io.Writer
}

// Run starts the sandboxes and Spoke, tells the story, and keeps running
// until ctx ends, unless Once is set. ok is false when the story did not come
// to its end.
func Run(ctx context.Context, o Options) (ok bool, err error) {
	began := time.Now()
	s, err := Open(SandboxOptions{Dir: filepath.Join(o.Data, "sandbox"), Ingest: "http://" + o.Listen, Log: o.Log})
	if err != nil {
		return false, err
	}
	defer s.Close()
	cfg, err := o.config(s)
	if err != nil {
		return false, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready := make(chan *app.Env, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- node.Run(ctx, node.Options{
			Config: cfg, Services: o.Services, Log: o.Log, Version: o.Version,
			Ready: func(e *app.Env) { ready <- e },
		})
	}()
	select {
	case err := <-ended:
		return false, err
	case e := <-ready:
		ok = o.tell(ctx, s, e, time.Since(began))
	}
	if o.Once {
		stop()
	}
	return ok, <-ended
}

// config keeps the configuration in the data folder, where other commands find
// it.
func (o Options) config(s *Sandboxes) (*config.Config, error) {
	file := filepath.Join(o.Data, "demo.yaml")
	if err := os.WriteFile(file, []byte(s.Config(o.Data, o.Listen)), 0o600); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return config.Load(file, o.Kinds)
}

// tell runs the story and prints what it came to.
func (o Options) tell(ctx context.Context, s *Sandboxes, e *app.Env, start time.Duration) bool {
	say := o.printer()
	say("ready after %.1f s: webhooks and events on http://%s, data in %s", start.Seconds(), o.Listen, o.Data)
	if !o.JSON {
		for _, name := range []string{"hubspot", "netsuite", "quickbooks", "stripe"} {
			say("  sandbox %-10s %s", name, s.URLs[name])
		}
		if err := Follow(ctx, e.Bus, e.Config.Tenant, say); err != nil {
			say("what happens can't be followed: %v", err)
		}
	}
	limited, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	r := Tell(limited, s, say)
	o.print(r)
	if !o.Once {
		say("")
		say("Spoke keeps running; stop it with Ctrl-C. In another terminal, try:")
		say("  go run ./services/spoke record deal/77")
		say("  go run ./services/spoke status")
	}
	return r.OK
}

func (o Options) printer() func(string, ...any) {
	if o.JSON {
		return func(string, ...any) {}
	}
	return func(format string, args ...any) { _, _ = fmt.Fprintf(o.Out, format+"\n", args...) }
}

func (o Options) print(r Report) {
	if o.JSON {
		enc := json.NewEncoder(o.Out)
		enc.SetIndent("", "  ")
		_ = enc.Encode(r) // a closed pipe ends the program soon enough
		return
	}
	say := o.printer()
	say("")
	for _, d := range r.Deals {
		say("deal %s  %s", d.Deal, d.Name)
		say("  NetSuite %v   QuickBooks %v   Stripe %v", d.NetSuite, d.QuickBooks, d.Stripe)
		say("  paid: NetSuite %v   QuickBooks %v   HubSpot says %s, %s", d.Paid.NetSuite, d.Paid.QuickBooks, d.HubSpot[propPaid], d.HubSpot[propStatus])
	}
	say("")
	for _, name := range []string{"hubspot", "netsuite", "quickbooks", "stripe"} {
		c := r.Sandboxes[name]
		say("%-10s %3d API calls, effects: %s", name, c.TotalCalls(), effects(c))
	}
	for _, p := range r.Problems {
		say("PROBLEM: %s", p)
	}
	if r.OK {
		say("Done in %.1f s: one order and one invoice each, numbers and payment back on HubSpot.", r.Seconds)
	} else {
		say("The story did not come to its end in %.1f s.", r.Seconds)
	}
}
