package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spoke-sync/spoke/tools/check/group"
	"github.com/spoke-sync/spoke/tools/check/report"
)

// runner runs the go command in the checkout.
type runner struct {
	root, bin string
	out       io.Writer
	left      []string // processes that tests left running
}

// run runs `go test -json` and reads what it says. testErr is how it ended.
func (r *runner) run(ctx context.Context, args []string) (summary report.Summary, testErr, err error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "SPOKE_TEST_BIN="+r.bin)
	cmd.Stderr = r.out
	events, writer := io.Pipe()
	cmd.Stdout = writer

	var left []string
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		left, testErr = group.Run(ctx, cmd)
		_ = writer.Close()
	}()
	summary, err = report.NewReader(r.out, module).Read(events)
	<-ended
	r.left = append(r.left, left...)
	return summary, testErr, err
}

// maxAgain is how many failed tests are run once more. With more of them something is broken.
const maxAgain = 3

// again says whether what failed may be for want of time: a few tests that ran to their end. A
// machine that runs CI is often busy with something else, and most tests here wait for real servers.
func again(s report.Summary) bool {
	n := 0
	for _, tests := range s.Broken {
		n += len(tests)
	}
	return n > 0 && n <= maxAgain && !s.Unclear
}

// again runs the tests that failed once more, by themselves. Those of a package that pass are
// unsteady and no failure any more; the summary says so. It returns how the tests ended after all.
func (r *runner) again(ctx context.Context, o options, s *report.Summary, failed error) (testErr, err error) {
	broken := s.Broken
	for _, path := range slices.Sorted(maps.Keys(broken)) {
		fmt.Fprintf(r.out, "once more: %s of %s\n", strings.Join(broken[path], ", "), path)
		one, testErr, err := r.run(ctx, o.againArgs(path, broken[path]))
		if err != nil {
			return failed, err
		}
		if testErr != nil || one.Failed > 0 || one.Passed == 0 {
			return failed, nil
		}
		for _, name := range broken[path] {
			s.Unsteady = append(s.Unsteady, strings.TrimPrefix(path, module+"/")+" "+name)
		}
	}
	s.Passed += s.Failed
	s.Failed, s.Failures = 0, nil
	return nil, nil
}

// againArgs are the arguments of the go command that runs some tests of one package.
func (o options) againArgs(path string, tests []string) []string {
	args := []string{"test", "-json", "-timeout", timeout, "-count=1", "-run", "^(" + strings.Join(tests, "|") + ")$"}
	if o.short {
		args = append(args, "-short")
	}
	if o.race != "" {
		args = append(args, "-race")
	}
	return append(args, path)
}
