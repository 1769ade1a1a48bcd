package torture_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/torture"
)

// testBin names the folder with the programs that make test builds.
const testBin = "SPOKE_TEST_BIN"

// programs builds the services beside the nats-server of make test, or skips.
func programs(t *testing.T) torture.Programs {
	t.Helper()
	kept := os.Getenv(testBin)
	nats := filepath.Join(kept, "nats-server")
	if _, err := os.Stat(nats); kept == "" || err != nil {
		t.Skipf("needs a real nats-server: make test builds one and names its folder in %s", testBin)
	}
	dir := filepath.Join(kept, "torture")
	require.NoError(t, os.MkdirAll(dir, 0o750))
	args := []string{"build", "-ldflags=-s -w", "-o", dir + string(filepath.Separator)}
	for _, name := range append(torture.Services(), torture.Command) {
		args = append(args, "github.com/spoke-sync/spoke/services/"+name)
	}
	out, err := exec.Command("go", args...).CombinedOutput()
	require.NoError(t, err, string(out))
	return torture.Programs{Dir: dir, NATS: nats}
}

// TestTorture is a short run of what tools/torture does at length.
func TestTorture(t *testing.T) {
	t.Parallel()
	rep, err := torture.Run(t.Context(), torture.Options{
		Seed: 1, Events: 500, Faults: 12, Rate: 50, Programs: programs(t), Dir: t.TempDir(), Quiet: 4 * time.Minute,
	})
	require.NoError(t, err)
	var text bytes.Buffer
	rep.Print(&text)
	require.True(t, rep.OK(), text.String())
	require.GreaterOrEqual(t, rep.FaultCount(), 8, "the faults did happen")
	require.Greater(t, rep.Accounts.Accepted, 500)
	require.NotZero(t, rep.Webhooks.Repeated)
	t.Log(text.String())
}
