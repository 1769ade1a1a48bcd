// Torture runs Spoke's services as processes, with two replicas of each, against
// the vendors' sandboxes, breaks things from a seed, and compares what every
// system holds in the end:
//
//	go run ./tools/torture -seed 1 -seeds 5 -events 10000 -faults 100
//
// With -scenario it plays one kind of trouble instead, with one replica of each
// service: "answers" loses the answers of creates, "webhooks" delivers webhooks
// repeatedly and in random order, "poison" has events that can't be done, and
// mends their causes. -faults and -rate are not looked at then.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spoke-sync/spoke/services/torture"
	"github.com/spoke-sync/spoke/tools/check/deps"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

var errFailed = errors.New("something was lost, doubled or different")

func run(ctx context.Context) error {
	var o torture.Options
	seed := flag.Uint64("seed", 1, "first seed")
	seeds := flag.Int("seeds", 1, "how many seeds")
	scenario := flag.String("scenario", "", "answers, webhooks or poison: a run with one kind of trouble; else troubles of every kind are mixed")
	flag.IntVar(&o.Events, "events", 0, "events for each seed; 0 is 10000, or the scenario's own number")
	flag.IntVar(&o.Faults, "faults", 100, "planned faults for each seed")
	flag.IntVar(&o.Rate, "rate", 100, "events a second")
	flag.DurationVar(&o.Quiet, "quiet", 0, "how long everything may take to settle after the last event; 0 is 5m, and 1h for a scenario")
	keep := flag.String("keep", "", "folder that keeps logs and stores; else only those of a run that failed are kept")
	flag.Parse()
	dir := *keep
	if dir == "" {
		temp, err := os.MkdirTemp("", "spoke-torture-")
		if err != nil {
			return err
		}
		dir = temp
	}
	var err error
	if o.Programs, err = build(ctx, dir); err != nil {
		return err
	}
	if o.Events == 0 {
		o.Events = cmp.Or(torture.ScenarioEvents(*scenario), mixedEvents)
	}
	out := os.Stdout
	o.Say = func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	failed, total := false, sum{}
	for i := range *seeds {
		o.Seed, o.Dir = *seed+uint64(i), filepath.Join(dir, fmt.Sprintf("seed-%d", *seed+uint64(i)))
		if err := errors.Join(os.RemoveAll(o.Dir), os.MkdirAll(o.Dir, 0o750)); err != nil { // a kept one of an earlier run
			return err
		}
		ok, err := play(ctx, *scenario, o, out, &total)
		if err != nil {
			return fmt.Errorf("seed %d: %w (logs in %s)", o.Seed, err, o.Dir)
		}
		if failed = failed || !ok; ok && *keep == "" {
			_ = os.RemoveAll(o.Dir)
		}
	}
	if *scenario == "" {
		total.print(out, *seeds)
	}
	if failed {
		return fmt.Errorf("%w; logs and stores are in %s", errFailed, dir)
	}
	if *keep == "" {
		return os.RemoveAll(dir)
	}
	return nil
}

// mixedEvents is how many events a run with mixed troubles has.
const mixedEvents = 10_000

// play makes one run and prints what came of it.
func play(ctx context.Context, scenario string, o torture.Options, out io.Writer, total *sum) (ok bool, err error) {
	if scenario != "" {
		a, err := torture.RunScenario(ctx, scenario, o)
		if err != nil {
			return false, err
		}
		a.Print(out)
		return a.OK(), nil
	}
	rep, err := torture.Run(ctx, o)
	if err != nil {
		return false, err
	}
	rep.Print(out)
	total.add(rep)
	return rep.OK(), nil
}

// sum adds the reports up.
type sum struct{ events, faults, lost, twice, differences int }

func (s *sum) add(r *torture.Report) {
	s.events += r.Accounts.Accepted
	s.faults += r.FaultCount()
	s.lost += r.Accounts.Lost
	s.twice += r.Twice
	s.differences += len(r.Differences) + len(r.Problems)
}

func (s *sum) print(w io.Writer, seeds int) {
	_, _ = fmt.Fprintf(w, "\n%d seeds: %d accepted events, %d faults; lost %d, effects made twice %d, differences %d\n",
		seeds, s.events, s.faults, s.lost, s.twice, s.differences)
}

// build builds every program that takes part.
func build(ctx context.Context, dir string) (torture.Programs, error) {
	root, err := repository(ctx)
	if err != nil {
		return torture.Programs{}, err
	}
	p := torture.Programs{Dir: filepath.Join(dir, "bin")}
	if err := os.MkdirAll(p.Dir, 0o750); err != nil {
		return p, err
	}
	args := []string{"build", "-o", p.Dir + string(filepath.Separator)}
	for _, name := range append(torture.Services(), torture.Command) {
		args = append(args, "./services/"+name)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	if err := cmd.Run(); err != nil {
		return p, fmt.Errorf("build the services: %w", err)
	}
	kept := filepath.Join(root, ".cache", "bin")
	for _, t := range deps.All() {
		if t.Binary == natsServer {
			p.NATS = filepath.Join(kept, t.Binary)
			return p, deps.Builder{Root: root, Bin: kept, Out: os.Stdout}.Ensure(ctx, []deps.Tool{t})
		}
	}
	return p, fmt.Errorf("%s is not among the programs of tools/check", natsServer)
}

const natsServer = "nats-server"

// repository is the root of the checkout that this program belongs to.
func repository(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/spoke-sync/spoke")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find the checkout: run this from inside it: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
