package torture

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// process is a program that is started again whenever it has ended, until it
// is closed.
type process struct {
	name string // of this replica
	path string
	args []string
	log  string // file that takes what it writes

	mu     sync.Mutex
	env    []string
	next   []string // env of the next start only
	cmd    *exec.Cmd
	ended  chan struct{}
	closed bool
	onEnd  func(killed bool)
}

// start runs the program. ctx ends it.
func (p *process) start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("torture: %s: %w", p.name, err)
	}
	defer func() { _ = out.Close() }()                 // the process has a copy
	cmd := exec.CommandContext(ctx, p.path, p.args...) //nolint:gosec // programs that the caller built
	cmd.Env = append(append(os.Environ(), p.env...), p.next...)
	p.next = nil
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("torture: %s: %w", p.name, err)
	}
	ended := make(chan struct{})
	p.cmd, p.ended = cmd, ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // its state is looked at instead
		if p.onEnd != nil {
			status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
			p.onEnd(ok && status.Signaled() && status.Signal() == syscall.SIGKILL)
		}
	}()
	return nil
}

// kill ends it as a power cut would, and waits.
func (p *process) kill() {
	p.mu.Lock()
	cmd, ended := p.cmd, p.ended
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended by itself
	<-ended
}

// arm sets what the next start finds in its environment.
func (p *process) arm(env string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = []string{env}
}

// close ends it for good: in order, and after a while by force.
func (p *process) close() {
	p.mu.Lock()
	p.closed = true
	cmd, ended := p.cmd, p.ended
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		p.kill()
	}
}

// Programs are what a run needs, built before.
type Programs struct {
	// Dir holds the services' programs by name.
	Dir string
	// NATS is the nats-server.
	NATS string
}

func (p Programs) service(name string) string { return filepath.Join(p.Dir, name) }

// Services are the names of the programs in Programs.Dir.
func Services() []string {
	return []string{"ingest", "transform", "netsuite-sink", "quickbooks-sink", "stripe-sink", "hubspot-sink", "warehouse-sink"}
}

// Command is the name of the command line's program in Programs.Dir, which a
// scenario needs beside the services.
const Command = "spoke"

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// plain calls without keeping connections, so that nothing outlives a run.
var plain = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// answers reports whether a GET is answered with 200.
func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	resp, err := plain.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// until polls a condition.
func until(ctx context.Context, every time.Duration, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
	return nil
}
