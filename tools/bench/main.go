// Command bench measures Spoke as a whole process and prints each figure
// beside a limit that is measured in the same run.
//
//	go run ./tools/bench core [-events N] [-records N] [-json]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) == 0 || args[0] != "core" {
		fmt.Fprintln(os.Stderr, "usage: go run ./tools/bench core [-events N] [-records N] [-json]")
		return 2
	}
	flags := flag.NewFlagSet("core", flag.ContinueOnError)
	o := options{}
	flags.IntVar(&o.events, "events", 100_000, "events to post")
	flags.IntVar(&o.records, "records", 10_000, "records that they are about")
	flags.IntVar(&o.size, "size", 1024, "bytes of one event")
	flags.StringVar(&o.profile, "profile", "", "write a CPU profile of Spoke to this file")
	asJSON := flags.Bool("json", false, "print JSON")
	if err := flags.Parse(args[1:]); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := core(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	if *asJSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		_ = enc.Encode(r) // nobody reads on when this fails
		return 0
	}
	r.print(os.Stdout)
	return 0
}
