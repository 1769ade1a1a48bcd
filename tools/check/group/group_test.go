package group_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spoke-sync/spoke/tools/check/group"
)

func TestRunLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("needs /proc to find processes that moved to another group")
	}
	tests := map[string]struct {
		script string
		left   int
	}{
		"nothing started": {script: `true`},
		"a child":         {script: `sleep 300 >/dev/null 2>&1 & echo $! >"$1"`, left: 1},
		"in a new group":  {script: `setsid sleep 300 >/dev/null 2>&1 & sleep 0.2; echo $! >"$1"`, left: 1},
		"waited for":      {script: `sleep 0.1 & echo $! >"$1"; wait`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pidFile := filepath.Join(t.TempDir(), "pid")
			left, err := group.Run(t.Context(), exec.Command("sh", "-c", test.script, "sh", pidFile))
			if err != nil {
				t.Fatal(err)
			}
			if len(left) != test.left {
				t.Errorf("left behind: %v, want %d", left, test.left)
			}
			requireGone(t, pidFile)
		})
	}
}

func TestRunReturnsTheExitCode(t *testing.T) {
	t.Parallel()
	_, err := group.Run(t.Context(), exec.Command("sh", "-c", "exit 7"))
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("got %v, want exit code 7", err)
	}
}

func TestRunPassesAnInterruptOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	started, pidFile := filepath.Join(dir, "started"), filepath.Join(dir, "pid")
	// The child ignores the interrupt, as a hung server would.
	script := `sh -c 'trap "" INT; echo $$ >"$1"; touch "$2"; sleep 300' sh "$1" "$2" & wait`
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(started); err == nil {
				cancel()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	_, err := group.Run(ctx, exec.Command("sh", "-c", script, "sh", pidFile, started))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	requireGone(t, pidFile)
}

// requireGone waits for a process to end: a killed one stays visible until it is reaped.
func requireGone(t *testing.T, pidFile string) {
	t.Helper()
	content, err := os.ReadFile(pidFile)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); running(pid); {
		if time.Now().After(deadline) {
			t.Fatalf("process %d still runs", pid)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}
