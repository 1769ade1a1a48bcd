// Command readme writes README.md's tables of what each connector does with
// each object type, from what the connectors declare. It is run by go generate
// in the folder of package catalog.
package main

import (
	"fmt"
	"os"

	"github.com/spoke-sync/spoke/services/catalog"
)

// file is README.md from the folder of package catalog.
const file = "../../README.md"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

func run() error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	fresh, err := replace(string(text), tables(catalog.Kinds()))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(fresh), 0o644) //nolint:gosec // a committed file is for everyone
}
