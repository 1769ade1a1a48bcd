// Command bench measures Spoke as a whole process and prints each figure
// beside a limit that is measured in the same run.
//
//	go run ./tools/bench core [-events N] [-records N] [-json]
//	go run ./tools/bench backfill [-objects N] [-kills N] [-json]
//	go run ./tools/bench outage [-events N] [-records N] [-rate N] [-burst N] [-json]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:])) }

const usage = `usage:
  go run ./tools/bench core [-events N] [-records N] [-json]
  go run ./tools/bench backfill [-objects N] [-kills N] [-json]
  go run ./tools/bench outage [-events N] [-records N] [-rate N] [-burst N] [-json]`

func run(args []string) int {
	benches := map[string]func(context.Context, []string) error{"core": runCore, "backfill": runBackfill, "outage": runOutage}
	if len(args) == 0 || benches[args[0]] == nil {
		fmt.Fprintln(os.Stderr, usage)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := benches[args[0]](ctx, args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 2
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

func runCore(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("core", flag.ContinueOnError)
	o := options{}
	flags.IntVar(&o.events, "events", 100_000, "events to post")
	flags.IntVar(&o.records, "records", 10_000, "records that they are about")
	flags.IntVar(&o.size, "size", 1024, "bytes of one event")
	flags.StringVar(&o.profile, "profile", "", "write a CPU profile of Spoke to this file")
	asJSON := flags.Bool("json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := core(ctx, o)
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(r)
	}
	r.print(os.Stdout)
	return nil
}

func printJSON(v any) error {
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
