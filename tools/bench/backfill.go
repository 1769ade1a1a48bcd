package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spoke-sync/spoke/services/endurance"
	"github.com/spoke-sync/spoke/tools/check/deps"
)

// The bounds that a backfill is held to.
const (
	maxRSS   = 200 << 20 // of ingest
	maxExtra = 0.03      // calls above the least possible, as a share
)

// runBackfill reads a portal with real processes, and fails when an object is
// missing or a bound is broken.
func runBackfill(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("backfill", flag.ContinueOnError)
	o := endurance.Options{Say: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }}
	flags.IntVar(&o.Objects, "objects", 200_000, "objects of the portal")
	flags.IntVar(&o.Kills, "kills", 2, "how often ingest is killed on the way")
	asJSON := flags.Bool("json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "spoke-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	o.Programs, o.Dir = filepath.Join(dir, "bin"), filepath.Join(dir, "run")
	for _, d := range []string{o.Programs, o.Dir} {
		if err := os.Mkdir(d, 0o750); err != nil {
			return err
		}
	}
	for _, name := range []string{"spoke", "ingest", "transform"} {
		if err := buildService(ctx, name, filepath.Join(o.Programs, name)); err != nil {
			return err
		}
	}
	if o.NATS, err = natsServer(ctx); err != nil {
		return err
	}
	r, err := endurance.Run(ctx, o)
	if err != nil {
		return err
	}
	if *asJSON {
		err = printJSON(r)
	} else {
		r.Print(os.Stdout)
	}
	if r.Missing > 0 || r.Rewritten > 0 || r.InHub != r.Objects || r.PeakRSS > maxRSS || r.Extra() > maxExtra {
		err = errors.Join(err, errors.New("a bound is broken"))
	}
	return err
}

// natsServer returns the server that the tests use too, and builds it once.
func natsServer(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/spoke-sync/spoke").Output()
	if err != nil {
		return "", fmt.Errorf("find the checkout: run this from inside it: %w", err)
	}
	root := strings.TrimSpace(string(out))
	bin := filepath.Join(root, ".cache", "bin")
	for _, t := range deps.All() {
		if t.Binary == "nats-server" {
			return filepath.Join(bin, t.Binary), deps.Builder{Root: root, Bin: bin, Out: os.Stderr}.Ensure(ctx, []deps.Tool{t})
		}
	}
	return "", errors.New("nats-server is not among the programs of tools/check")
}
