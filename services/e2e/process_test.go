package e2e_test

import (
	"bytes"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is a running program. It leads a process group of its own and ends
// with the test, at the latest.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdout output
	stderr output
	ended  chan struct{}
}

// output is what a process has written so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start runs a program. env is added to the environment. What the process
// wrote is shown if the test fails.
func start(t *testing.T, path string, env []string, args ...string) *process {
	t.Helper()
	p := &process{name: filepath.Base(path), cmd: exec.Command(path, args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = ownGroup()
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // its state is looked at instead
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s (%v) wrote:\n%s%s", p.name, p.cmd.ProcessState, tail(p.stdout.String()), tail(p.stderr.String()))
		}
	})
	return p
}

// tail is the end of a log.
func tail(s string) string {
	const limit = 8 << 10
	if len(s) > limit {
		return "…" + s[len(s)-limit:]
	}
	return s
}

// kill ends the process group as a power cut would.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended by itself
	<-p.ended
}

// stop asks the process to end, and waits.
func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.exit(t)
}

// exit waits for the process to end and returns its status.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		require.FailNow(t, p.name+" does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// running reports whether the process has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

const (
	// patience bounds every wait. It is for machines that do other work too;
	// no wait takes a tenth of it on a free one.
	patience = 60 * time.Second
	// pollEvery is how often a test looks.
	pollEvery = 20 * time.Millisecond
)

// await waits until something outside of this process holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, patience, pollEvery, "waited for: "+what)
}

// run runs Spoke's command to its end and returns its status and all that it
// wrote.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	p := start(t, program(t, spoke), nil, args...)
	status = p.exit(t)
	return status, p.stdout.String(), p.stderr.String()
}

// freeAddress returns a loopback address that nobody listens on. It is below
// the ports that the kernel gives to outgoing connections, so that none of
// them takes it before it is used.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", lowPort()))
		if err != nil {
			continue
		}
		address := l.Addr().String()
		require.NoError(t, l.Close())
		return address
	}
	require.FailNow(t, "no free port")
	return ""
}

// lowPort is a random port from 20000 to 31999. Linux gives outgoing
// connections ports from 32768 on, macOS from 49152 on.
func lowPort() string { return strconv.Itoa(20_000 + rand.IntN(12_000)) }
