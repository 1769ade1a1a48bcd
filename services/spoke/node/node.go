// Package node runs every service in one process on an embedded NATS, and
// lets other programs of the same user find it.
package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spoke-sync/spoke/events"
	"github.com/spoke-sync/spoke/services/internal/app"
	"github.com/spoke-sync/spoke/services/internal/config"
	"github.com/spoke-sync/spoke/services/internal/durable"
	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/internal/telemetry"
)

// Options of Run.
type Options struct {
	Config   *config.Config
	Services []app.Service
	Log      *slog.Logger
	Version  string
	// Ready is called once every service takes work, with what they share.
	Ready func(*app.Env)
}

// Run starts NATS and all services, and returns when ctx ends or something
// fails.
func Run(ctx context.Context, o Options) error {
	shutdown, err := telemetry.Setup(ctx, "spoke", o.Version)
	if err != nil {
		return err
	}
	defer flush(shutdown)
	open := app.Options{Config: o.Config, Log: o.Log, Version: o.Version, Name: "spoke"}
	if o.Config.NATS.URL == "" {
		srv, err := startNATS(o.Config)
		if err != nil {
			return err
		}
		defer srv.Stop()
		open.InProcess, open.URL, open.Owns = srv, srv.URL(), true // the folder is locked
	}
	e, err := app.Open(ctx, open)
	if err != nil {
		return err
	}
	defer e.Close()
	return app.Run(ctx, e, o.Services, func() {
		if err := announce(o.Config, open.URL); err != nil {
			o.Log.Warn("spoke: other commands can't find this process", "error", err)
		}
		o.Ready(e)
	})
}

// anyPort lets the command line reach the embedded server without a fixed
// port that could be taken.
const anyPort = "127.0.0.1:0"

func startNATS(c *config.Config) (*embed.Server, error) {
	listen := c.NATS.Listen
	if listen == "" {
		listen = anyPort
	}
	return embed.Start(embed.Options{Dir: c.Data, Listen: listen})
}

func flush(shutdown func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = shutdown(ctx) // a collector that is gone must not fail the stop
}

// Running is how other commands reach a running spoke up.
type Running struct {
	URL    string `json:"url"` // of NATS, with its token
	Tenant string `json:"tenant"`
	PID    int    `json:"pid"`
	// Config is the configuration file, absolute.
	Config string `json:"config,omitempty"`
	// Owners are the sources of truth by entity and field.
	Owners map[events.Entity]map[string]string `json:"owners,omitempty"`
}

const runningFile = "running.json"

// announce writes the file, readable by its owner only.
func announce(c *config.Config, url string) error {
	if url == "" {
		url = c.NATS.URL
	}
	b, err := json.Marshal(Running{URL: url, Tenant: c.Tenant, PID: os.Getpid(), Config: c.File(), Owners: c.Owners()})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Data, 0o750); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(c.Data, runningFile), b, 0o600)
}

// Find returns how to reach the process that runs, or ran last, on a data
// folder.
func Find(dir string) (Running, error) {
	var r Running
	b, err := os.ReadFile(filepath.Join(dir, runningFile)) //nolint:gosec // the operator names the folder
	if errors.Is(err, os.ErrNotExist) {
		return r, fmt.Errorf("no Spoke has run in %s: start it with spoke up, or name its folder with --data", dir)
	}
	if err != nil {
		return r, fmt.Errorf("data folder: %w", err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("data folder: %s: %w", runningFile, err)
	}
	return r, nil
}
