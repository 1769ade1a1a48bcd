package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/spoke-sync/spoke/events"
)

// process is a running Spoke.
type process struct {
	cmd   *exec.Cmd
	base  string // of ingest
	ready time.Duration
	url   string // of NATS
	nc    *nats.Conn
	js    jetstream.JetStream
	once  sync.Once
}

func build(ctx context.Context, bin string) error { return buildService(ctx, "spoke", bin) }

// buildService builds one of Spoke's programs.
func buildService(ctx context.Context, name, bin string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/spoke-sync/spoke/services/"+name)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build %s: %w", name, err)
	}
	return nil
}

const configuration = `tenant: bench
data: %q
http: {listen: %s}
upstreams:
  bench: {token: "literal:%s"}
connections:
  erp:
    kind: netsuite
    limits: %s
    sync: {default: "off"} # the vendor is no NetSuite that could be polled
    settings:
      account: "1234567"
      url: %s
      tba: {consumer_key: "literal:a", consumer_secret: "literal:b", token_id: "literal:c", token_secret: "literal:d"}
`

// launch is how to start Spoke.
type launch struct {
	bin, data, vendor string
	services          []string
	limits            string // of the connection
	profile           string // file of a CPU profile; empty for none
}

// start runs Spoke's services in one process on a data folder.
func start(ctx context.Context, l launch) (*process, error) {
	listen, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(l.data, 0o750); err != nil {
		return nil, err
	}
	file := filepath.Join(l.data, "spoke.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration, l.data, listen, token, l.limits, l.vendor), 0o600); err != nil {
		return nil, err
	}
	args := []string{"up", "-c", file, "--services", strings.Join(l.services, ",")}
	if l.profile != "" {
		args = append(args, "--cpuprofile", l.profile)
	}
	cmd := exec.CommandContext(ctx, l.bin, args...)
	cmd.Env = append(os.Environ(), "SPOKE_LOG=warn")
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, base: "http://" + listen}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		p.stop()
		return nil, fmt.Errorf("spoke did not become ready: %w", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	p.ready = time.Since(began)
	return p, p.connect(l.data)
}

// replica runs one more process of a service until stop.
func (p *process) replica(ctx context.Context, bin, data, service string) (stop func(), err error) {
	metrics, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, bin, "run", service, "-c", filepath.Join(data, "spoke.yaml"))
	cmd.Env = append(os.Environ(), "SPOKE_LOG=warn", "SPOKE_NATS_URL="+p.url, "SPOKE_METRICS_LISTEN="+metrics)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}, nil
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (p *process) connect(data string) error {
	b, err := os.ReadFile(filepath.Join(data, "running.json"))
	if err != nil {
		return err
	}
	var r struct{ URL string }
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	p.url = r.URL
	if p.nc, err = nats.Connect(r.URL); err != nil {
		return err
	}
	p.js, err = jetstream.New(p.nc)
	return err
}

// drained waits until transform has committed every event.
func (p *process) drained(ctx context.Context) error {
	return p.idle(ctx, events.StreamEvents, "transform")
}

func (p *process) idle(ctx context.Context, stream, durable string) error {
	c, err := p.js.Consumer(ctx, stream, durable)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		info, err := c.Info(ctx)
		if err == nil && info.NumPending == 0 && info.NumAckPending == 0 {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return ctx.Err()
}

func (p *process) stop() {
	p.once.Do(func() {
		if p.nc != nil {
			p.nc.Close()
		}
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.cmd.Wait()
	})
}

// cpu returns the process's user and system seconds so far.
func (p *process) cpu() float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b)[strings.LastIndexByte(string(b), ')')+1:])
	const ticksPerSecond = 100
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / ticksPerSecond
}

// peakRSS returns the most memory the process had, in MiB.
func (p *process) peakRSS() float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024
		}
	}
	return 0
}
