package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/services/catalog"
	"github.com/spoke-sync/spoke/services/internal/app"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/telemetry"
	"github.com/spoke-sync/spoke/services/spoke/demo"
	"github.com/spoke-sync/spoke/services/spoke/node"
)

type upCmd struct {
	Config   string        `short:"c" default:"spoke.yaml" help:"Configuration file."`
	Services []string      `help:"Run only these services."`
	Demo     bool          `help:"Run against vendor sandboxes with a sample portal, and show what happens."`
	Once     bool          `help:"With --demo: end after the story, with status 0 or 1."`
	JSON     bool          `help:"With --demo --once: print the report as JSON."`
	Data     string        `default:"spoke-data" help:"With --demo: data folder."`
	Listen   string        `default:"127.0.0.1:8080" help:"With --demo: address for webhooks and events."`
	Limit    time.Duration `default:"2m" help:"With --demo: how long the story may take."`

	CPUProfile string `name:"cpuprofile" help:"Write a CPU profile to this file."`
}

// Run implements the command.
func (c *upCmd) Run(s *session) error {
	if c.CPUProfile != "" {
		stop, err := profile(c.CPUProfile)
		if err != nil {
			return err
		}
		defer stop()
	}
	if c.Demo {
		return c.demo(s)
	}
	if c.Once || c.JSON {
		return fmt.Errorf("--once and --json go with --demo")
	}
	cfg, err := config.Load(c.Config, catalog.Kinds())
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w\nno configuration yet? spoke up --demo runs without one", err)
	}
	if err != nil {
		return err
	}
	services, err := pick(c.Services)
	if err != nil {
		return err
	}
	began := time.Now()
	return node.Run(s.ctx, node.Options{
		Config: cfg, Services: services, Log: s.log, Version: catalog.Version,
		Ready: func(*app.Env) {
			s.printf("ready after %.1f s: webhooks and events on http://%s, data in %s\n", time.Since(began).Seconds(), cfg.HTTP.Listen, cfg.Data)
		},
	})
}

// profile writes a CPU profile until the returned function is called.
func profile(file string) (stop func(), err error) {
	f, err := os.Create(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("profile: %w", err)
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, nil
}

// pick returns the named services, or all.
func pick(names []string) ([]app.Service, error) {
	if len(names) == 0 {
		return catalog.Services(), nil
	}
	services := make([]app.Service, len(names))
	for i, n := range names {
		s, err := service(n)
		if err != nil {
			return nil, err
		}
		services[i] = s
	}
	return services, nil
}

func service(name string) (app.Service, error) {
	if s, ok := catalog.Service(name); ok {
		return s, nil
	}
	var names []string
	for _, s := range catalog.Services() {
		names = append(names, s.Name)
	}
	return app.Service{}, fmt.Errorf("no service is named %q: one of %s", name, strings.Join(names, ", "))
}

// demo keeps the log in a file, so that the terminal tells the story.
func (c *upCmd) demo(s *session) error {
	if c.JSON && !c.Once {
		return fmt.Errorf("--json goes with --once")
	}
	log, done, err := c.logFile()
	if err != nil {
		return err
	}
	defer done()
	ok, err := demo.Run(s.ctx, demo.Options{
		Data: c.Data, Listen: c.Listen, Once: c.Once, JSON: c.JSON, Limit: c.Limit,
		Services: catalog.Services(), Kinds: catalog.Kinds(), Version: catalog.Version, Log: log, Out: s.out,
	})
	if err != nil {
		return err
	}
	if c.Once && !ok {
		return errFailed
	}
	return nil
}

func (c *upCmd) logFile() (*slog.Logger, func(), error) {
	if err := os.MkdirAll(c.Data, 0o750); err != nil {
		return nil, nil, fmt.Errorf("data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(c.Data, "spoke.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("log file: %w", err)
	}
	log, err := telemetry.NewLogger(f, os.Getenv)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return log, func() { _ = f.Close() }, nil
}

type runCmd struct {
	Service string `arg:"" help:"ingest, transform, netsuite-sink, quickbooks-sink, stripe-sink, hubspot-sink or warehouse-sink."`
	Config  string `short:"c" default:"spoke.yaml" help:"Configuration file."`
}

// Run implements the command.
func (c *runCmd) Run(s *session) error {
	svc, err := service(c.Service)
	if err != nil {
		return err
	}
	cfg, err := config.Load(c.Config, catalog.Kinds())
	if err != nil {
		return err
	}
	return app.Standalone(s.ctx, app.Options{Config: cfg, Log: s.log, Version: catalog.Version, Name: svc.Name}, svc)
}
