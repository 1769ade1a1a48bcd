// Command generate writes the JSON Schemas anew. It is run by go generate in
// the folder of package schemas.
package main

import (
	"fmt"
	"os"

	"github.com/spoke-sync/spoke/schemas/derive"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	files, err := derive.All()
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(name, content, 0o644); err != nil { //nolint:gosec // committed files are for everyone
			return err
		}
	}
	return nil
}
