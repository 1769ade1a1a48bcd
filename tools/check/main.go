// Command check runs the project's tests the way a person and a CI run want to see them: it builds
// the real programs that tests need, runs `go test -json work`, prints a line per package and the
// whole output of failures, and ends with totals that name every skipped test and its reason.
//
//	go run ./tools/check                         every test of both modules
//	go run ./tools/check -short -run Webhook     fewer of them
//	go run ./tools/check -race ./services/...    these packages with the race detector
//	go run ./tools/check -operations             the connectors' tests, and which operations they exercised
//	go run ./tools/check -deps                   only build the programs
//
// With CI=true nothing may be skipped, but for tests that need a file system mounted through FUSE
// where that is impossible, no earlier result is reused, and a few tests that fail are run once more
// by themselves; the summary names them. Tests find the programs by
// SPOKE_TEST_BIN. Nothing that was started here outlives it, also when it is interrupted.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spoke-sync/spoke/tools/check/group"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := group.WithParent(ctx)
	defer cancel()

	ok, err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}
