package powercut

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// leaves has the test below leave its mount behind.
const leaves = "SPOKE_POWERCUT_LEAVES"

// A test process that is killed must not leave a mount.
func TestAKilledTestLeavesNoMount(t *testing.T) {
	if os.Getenv(leaves) != "" {
		_, _ = os.Stdout.WriteString("mounted " + Mount(t, Options{}).Path() + "\n")
		select {} // until it is killed
	}
	t.Parallel()
	Require(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, "-test.run=^"+t.Name()+"$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), leaves+"=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	path := ""
	for said := bufio.NewScanner(out); path == "" && said.Scan(); {
		_, path, _ = strings.Cut(said.Text(), "mounted ")
	}
	require.NotEmpty(t, path)
	require.Contains(t, mounts(t), path)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.Eventually(t, func() bool { return !strings.Contains(mounts(t), path) }, 30*time.Second, 10*time.Millisecond)
}

func mounts(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/mounts")
	require.NoError(t, err)
	return string(b)
}

// A trial that does not end, or fails, is a reason to skip, never one to hang.
func TestATrialThatFails(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, try(exec.Command("sleep", "600"), 10*time.Millisecond), "does not end within 10ms")
	cmd, err := helper(jobProbe, filepath.Join(t.TempDir(), "none"))
	require.NoError(t, err)
	require.ErrorContains(t, try(cmd, patience), "exit status 1: mount: ")
}
