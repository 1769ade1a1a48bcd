package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// testBin names the folder with the programs that make test builds.
const testBin = "SPOKE_TEST_BIN"

const module = "github.com/spoke-sync/spoke/services/"

// spoke is the command that runs everything.
const spoke = "spoke"

// standalone are the services that are processes of their own.
func standalone() []string {
	return []string{"ingest", "transform", "netsuite-sink", "quickbooks-sink", "stripe-sink", "hubspot-sink", "warehouse-sink"}
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(scratch())
		os.Exit(code) //nolint:forbidigo // this is the test's main
	}))
}

// scratch is where programs go that are built for this run only.
func scratch() string { return filepath.Join(os.TempDir(), fmt.Sprintf("spoke-e2e-%d", os.Getpid())) }

// build builds Spoke's programs once per run. Beside the programs of make
// test they are kept, so that the next run links what has changed only.
var build = sync.OnceValues(func() (string, error) {
	dir := scratch()
	if kept := os.Getenv(testBin); kept != "" {
		dir = filepath.Join(kept, "e2e")
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	args := []string{"build", "-ldflags=-s -w", "-o", dir + string(filepath.Separator), module + spoke}
	for _, name := range standalone() {
		args = append(args, module+name)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
})

// program returns the path of one of Spoke's programs.
func program(t *testing.T, name string) string {
	t.Helper()
	dir, err := build()
	require.NoError(t, err)
	return filepath.Join(dir, name)
}

// tool returns the path of a program that make test builds, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(os.Getenv(testBin), name)
	if _, err := os.Stat(path); os.Getenv(testBin) == "" || err != nil {
		t.Skipf("needs a real %s: make test builds one and names its folder in %s", name, testBin)
	}
	return path
}
