package crash_test

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/crash"
)

// inChild tells the test that it is the process that is to end.
const inChild = "SPOKE_CRASH_TEST_CHILD"

// TestPoint runs itself as a process that comes to a point three times.
func TestPoint(t *testing.T) {
	if os.Getenv(inChild) != "" {
		for range 3 {
			crash.Point(crash.SinkCalled)
		}
		return
	}
	t.Parallel()
	for plan, killed := range map[string]bool{
		"":                 false,
		"sink.called:1":    true,
		"sink.called:3":    true,
		"sink.called:4":    false,
		"sink.reserved:1":  false,
		"sink.called":      false,
		"sink.called:zero": false,
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestPoint$")
		cmd.Env = append(os.Environ(), inChild+"=1", crash.Env+"="+plan)
		err := cmd.Run()
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		require.True(t, ok)
		require.Equal(t, killed, status.Signaled() && status.Signal() == syscall.SIGKILL, "%q: %v", plan, err)
		require.Equal(t, killed, err != nil, plan)
	}
}

func TestEveryServiceHasPoints(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"ingest", "transform", "warehouse-sink", "netsuite-sink"} {
		require.NotEmpty(t, crash.Points(service), service)
	}
	require.Empty(t, crash.Points("console"))
}
