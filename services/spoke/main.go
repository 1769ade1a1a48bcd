// Command spoke runs all of Spoke in one process, and is the operator's
// command line.
package main

import (
	"os"

	"github.com/spoke-sync/spoke/services/spoke/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
