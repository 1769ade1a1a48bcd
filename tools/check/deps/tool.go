// Package deps builds the real programs that some tests run against, from the versions pinned in
// modules of their own, and keeps the binaries until a pin changes. A program that cannot be built
// because there is no network is left out: the tests that need it skip, each with its name.
package deps

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Tool is one program to build.
type Tool struct {
	Binary  string // name of the file that is built
	Module  string // folder of the module that pins it, relative to the root of the checkout
	Package string // main package
	Why     string // what needs it
	Cold    string // how long a first build takes on two cores
}

// All lists the programs that tests use.
func All() []Tool {
	return []Tool{
		{
			Binary:  "nats-server",
			Module:  "tools/nats",
			Package: "github.com/nats-io/nats-server/v2",
			Why:     "tests that kill or cluster a NATS server need one that is a process",
			Cold:    "15 seconds",
		},
		{
			Binary:  "jaeger-all-in-one",
			Module:  "tools/jaeger",
			Package: "github.com/jaegertracing/jaeger/cmd/all-in-one",
			Why:     "tracing tests send spans to a real Jaeger and read the traces back",
			Cold:    "2 to 4 minutes",
		},
		{
			Binary:  "stripe-mock",
			Module:  "tools/stripe-mock",
			Package: "github.com/stripe/stripe-mock",
			Why:     "every request of the Stripe connector's tests goes to it too",
			Cold:    "15 seconds",
		},
	}
}

// stamp identifies everything that a build depends on: the pins, the toolchain and the platform.
func (t Tool) stamp(root string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %s %s/%s\n", t.Package, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(root, t.Module, name))
		if err != nil {
			return "", fmt.Errorf("read the pins of %s: %w", t.Binary, err)
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(content))
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
