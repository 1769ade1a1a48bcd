package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spoke-sync/spoke/tools/check/deps"
	"github.com/spoke-sync/spoke/tools/check/report"
)

const module = "github.com/spoke-sync/spoke"

// timeout ends a package whose tests hang. The slowest package needs a fraction of it, even with
// the race detector on a busy two-core machine.
const timeout = "10m"

// connectors are the packages whose tests compare calls with descriptions.
const connectors = "./services/connectors/..."

type options struct {
	race  string
	run   string
	short bool
	deps  bool
	ci    bool
	// operations runs only what compares calls with descriptions, and lists
	// the operations.
	operations bool
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.race, "race", "", "run only these `packages` (comma-separated patterns), with the race detector")
	flags.StringVar(&o.run, "run", "", "run only tests that match this `regexp`")
	flags.BoolVar(&o.short, "short", false, "leave out what tests leave out with -short")
	flags.BoolVar(&o.deps, "deps", false, "build the programs that tests need, and stop")
	flags.BoolVar(&o.operations, "operations", false,
		"run only the connectors' tests, and list the operations that were compared with the vendors' descriptions")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	o.ci = os.Getenv("CI") == "true"
	return o, nil
}

// testArgs are the arguments of the go command.
func (o options) testArgs() []string {
	args := []string{"test", "-json", "-timeout", timeout}
	if o.short {
		args = append(args, "-short")
	}
	if o.run != "" {
		args = append(args, "-run", o.run)
	}
	if o.ci {
		args = append(args, "-count=1")
	}
	switch {
	case o.operations:
		return append(args, connectors)
	case o.race == "":
		return append(args, "work")
	}
	return append(append(args, "-race"), strings.FieldsFunc(o.race, func(c rune) bool { return c == ',' || c == ' ' })...)
}

// run does everything and says whether all is well.
func run(ctx context.Context, args []string, out io.Writer) (bool, error) {
	o, err := parse(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	root, err := checkout()
	if err != nil {
		return false, err
	}
	bin := filepath.Join(root, ".cache", "bin")
	builder := deps.Builder{Root: root, Bin: bin, Out: out}
	if err := builder.Ensure(ctx, deps.All()); err != nil || o.deps {
		return err == nil, err
	}
	return test(ctx, o, root, bin, out)
}

func test(ctx context.Context, o options, root, bin string, out io.Writer) (bool, error) {
	started := time.Now()
	g := runner{root: root, bin: bin, out: out}
	summary, testErr, err := g.run(ctx, o.testArgs())
	if err != nil {
		return false, err
	}
	if o.ci && ctx.Err() == nil && again(summary) {
		if testErr, err = g.again(ctx, o, &summary, testErr); err != nil {
			return false, err
		}
	}
	summary.Operations.Print(out, o.operations)
	summary.Print(out)
	fmt.Fprintf(out, "took %s\n", time.Since(started).Round(time.Second))
	for _, name := range g.left {
		fmt.Fprintf(out, "a test left %s running; it has been killed\n", name)
	}
	return judge(ctx, o, summary, testErr)
}

// judge turns the outcome into the exit code. The go command's own word counts too: it can fail
// without any test failing.
func judge(ctx context.Context, o options, summary report.Summary, testErr error) (bool, error) {
	switch {
	case ctx.Err() != nil:
		return false, errors.New("interrupted")
	case summary.Failed > 0:
		return false, nil
	case testErr != nil:
		return false, fmt.Errorf("go test: %w", testErr)
	case o.operations && summary.Operations.Count() == 0:
		return false, errors.New("no call was compared with a description")
	case len(summary.Operations.Invalid()) > 0:
		return false, fmt.Errorf("not as the description says: %s", strings.Join(summary.Operations.Invalid(), ", "))
	case summary.Operations.Rejected() > 0:
		return false, fmt.Errorf("%d requests were rejected", summary.Operations.Rejected())
	case o.run == "" && !o.short && len(summary.Operations.Unused()) > 0:
		return false, fmt.Errorf("exceptions that nothing needs, remove them from package spec: %s",
			strings.Join(summary.Operations.Unused(), "; "))
	case summary.Packages == 0:
		return false, errors.New("no package was tested")
	case o.ci && summary.Unexcused() > 0:
		return false, fmt.Errorf("%d tests were skipped, and with CI=true none of these may be", summary.Unexcused())
	default:
		return true, nil
	}
}

// checkout finds the root of the checkout from any folder in it.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find the checkout: no go.work in this folder or above it")
		}
		dir = parent
	}
}
