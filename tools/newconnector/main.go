// Command newconnector begins a connector: a package that compiles and passes
// the conformance suite against a sandbox of its own, the main of its sink, and
// its line in package catalog.
//
//	go run ./tools/newconnector [-title Xero] xero
//
// What it writes speaks to a plain REST API with one object type. Turn
// connector and sandbox together into the vendor's, one call at a time, and
// keep the suite green on the way.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], ".", os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "newconnector:", err)
		os.Exit(1)
	}
}

// run makes the connector in the checkout that dir is in.
func run(args []string, dir string, out io.Writer) error {
	flags := flag.NewFlagSet("newconnector", flag.ContinueOnError)
	flags.SetOutput(out)
	title := flags.String("title", "", "the vendor as people write it; the name with a capital letter when empty")
	flags.Usage = func() {
		fmt.Fprintln(out, "usage: go run ./tools/newconnector [-title Title] name")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return fmt.Errorf("want one name, got %d", flags.NArg())
	}
	root, err := checkout(dir)
	if err != nil {
		return err
	}
	c := connector{root: root, name: flags.Arg(0), title: *title}
	if c.title == "" {
		c.title = capital(c.name)
	}
	if err := c.check(); err != nil {
		return err
	}
	files, err := c.write()
	if err != nil {
		return err
	}
	for _, f := range files {
		fmt.Fprintln(out, "wrote", f)
	}
	fmt.Fprintf(out, "\nnext:\n  make generate                                   # README.md's table\n"+
		"  go test ./services/connectors/%[1]s/...          # the suite\n"+
		"  docker-compose.yml, deploy/prometheus.yml        # the service %[1]s-sink, if you deploy with them\n", c.name)
	return nil
}
