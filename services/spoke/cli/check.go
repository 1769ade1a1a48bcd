package cli

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spoke-sync/spoke/services/catalog"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/connector"
	"github.com/spoke-sync/spoke/services/internal/fault"
	"github.com/spoke-sync/spoke/services/internal/rest"
)

type checkCmd struct {
	Config  string `short:"c" default:"spoke.yaml" help:"Configuration file."`
	Offline bool   `help:"Don't call the vendors."`
	JSON    bool   `help:"Print JSON."`
}

// finding is one thing that was checked.
type finding struct {
	What  string `json:"what"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

// vendorLimit bounds one vendor's check.
const vendorLimit = 30 * time.Second

// Run implements the command.
func (c *checkCmd) Run(s *session) error {
	findings := c.check(s)
	failed := false
	for _, f := range findings {
		failed = failed || !f.OK
	}
	if c.JSON {
		if err := s.json(findings); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			f.print(s)
		}
	}
	if failed {
		return errFailed
	}
	return nil
}

func (f finding) print(s *session) {
	if f.OK {
		s.printf("ok      %s\n", f.What)
		return
	}
	s.printf("FAILED  %s\n%s\n", f.What, f.Error)
	if f.Hint != "" {
		s.printf("  %s\n", f.Hint)
	}
}

func (c *checkCmd) check(s *session) []finding {
	cfg, err := config.Load(c.Config, catalog.Kinds())
	if err != nil {
		return []finding{found("configuration "+c.Config, err)}
	}
	findings := []finding{found("configuration "+c.Config, nil)}
	flows, err := cfg.CompileFlows()
	if err != nil {
		findings = append(findings, found("flows", err))
	} else {
		findings = append(findings, found(fmt.Sprintf("flows (%d)", len(flows.All())), nil))
	}
	for _, name := range cfg.ConnectionNames() {
		what := fmt.Sprintf("connection %s (%s)", name, cfg.Kind(name).Title)
		conn, err := cfg.Kind(name).Open(cfg.Settings(name), connector.Deps{
			Connection: name, Tenant: cfg.Tenant, Log: slog.New(slog.DiscardHandler),
			HTTP: rest.NewHTTP(rest.NewTransport()), Now: time.Now,
		})
		if err == nil && !c.Offline && conn.Target != nil {
			err = reach(s.ctx, conn.Target)
		}
		findings = append(findings, found(what, err))
	}
	return findings
}

func reach(ctx context.Context, t connector.Target) error {
	ctx, cancel := context.WithTimeout(ctx, vendorLimit)
	defer cancel()
	return t.Check(ctx)
}

func found(what string, err error) finding {
	f := finding{What: what, OK: err == nil}
	if err != nil {
		f.Error, f.Hint = err.Error(), fault.As(err).Hint
	}
	return f
}
