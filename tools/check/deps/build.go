package deps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spoke-sync/spoke/tools/check/group"
)

// heartbeat is how often a long build says that it is still at it.
const heartbeat = 30 * time.Second

// errNoNetwork marks a build that failed because its sources could not be fetched.
var errNoNetwork = errors.New("sources could not be fetched")

// Builder builds tools into one folder.
type Builder struct {
	Root string // root of the checkout
	Bin  string // where the binaries go
	Out  io.Writer
}

// Ensure builds the tools that are absent or out of date. A missing network leaves a tool out; any
// other failure is an error.
func (b Builder) Ensure(ctx context.Context, tools []Tool) error {
	if err := os.MkdirAll(b.Bin, 0o750); err != nil {
		return fmt.Errorf("make the folder for test programs: %w", err)
	}
	unlock, err := b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	for _, tool := range tools {
		err := b.ensure(ctx, tool)
		if errors.Is(err, errNoNetwork) {
			fmt.Fprintf(b.Out, "deps  %-18s left out: %v; the tests that need it will skip\n", tool.Binary, err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b Builder) ensure(ctx context.Context, tool Tool) error {
	want, err := tool.stamp(b.Root)
	if err != nil {
		return err
	}
	binary := filepath.Join(b.Bin, tool.Binary)
	if b.current(binary, want) {
		fmt.Fprintf(b.Out, "deps  %-18s ready\n", tool.Binary)
		return nil
	}
	fmt.Fprintf(b.Out, "deps  %-18s building, takes %s the first time (%s)\n", tool.Binary, tool.Cold, tool.Why)
	started := time.Now()
	if err := b.build(ctx, tool, binary); err != nil {
		return err
	}
	if err := os.WriteFile(binary+".stamp", []byte(want), 0o600); err != nil {
		return fmt.Errorf("remember the build of %s: %w", tool.Binary, err)
	}
	fmt.Fprintf(b.Out, "deps  %-18s built in %s\n", tool.Binary, time.Since(started).Round(time.Second))
	return nil
}

func (b Builder) current(binary, want string) bool {
	have, err := os.ReadFile(binary + ".stamp")
	if err != nil || string(have) != want {
		return false
	}
	_, err = os.Stat(binary)
	return err == nil
}

// build leaves either a whole new binary or none: an old one would be tested by mistake.
func (b Builder) build(ctx context.Context, tool Tool, binary string) error {
	for _, stale := range []string{binary, binary + ".stamp"} {
		if err := os.Remove(stale); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the old %s: %w", tool.Binary, err)
		}
	}
	fresh := binary + ".new"
	var output bytes.Buffer
	// Without symbol tables: a third off the size and seconds off the link.
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", fresh, tool.Package)
	cmd.Dir = filepath.Join(b.Root, tool.Module)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Stdout, cmd.Stderr = &output, &output

	stop := b.announce(tool)
	_, err := group.Run(ctx, cmd)
	stop()
	if err != nil {
		return fmt.Errorf("build %s: %w", tool.Binary, verdict(ctx, err, output.String()))
	}
	if err := os.Rename(fresh, binary); err != nil {
		return fmt.Errorf("put %s in place: %w", tool.Binary, err)
	}
	return nil
}

// verdict tells a missing network from everything else, which only the go command's words reveal.
func verdict(ctx context.Context, err error, output string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	lines := strings.Split(strings.TrimSpace(output), "\n")
	last := lines[len(lines)-1]
	for _, sign := range []string{
		"dial tcp", "no such host", "connection refused", "network is unreachable", "i/o timeout",
		"TLS handshake timeout", "connection reset", "module lookup disabled by GOPROXY=off",
		"502 Bad Gateway", "503 Service Unavailable",
	} {
		if strings.Contains(output, sign) {
			return fmt.Errorf("%w: %s", errNoNetwork, last)
		}
	}
	return fmt.Errorf("%w\n%s", err, strings.TrimSpace(output))
}

func (b Builder) announce(tool Tool) (stop func()) {
	started, done, stopped := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				fmt.Fprintf(b.Out, "deps  %-18s still building, %s\n", tool.Binary, time.Since(started).Round(time.Second))
			}
		}
	}()
	return func() { close(done); <-stopped }
}

// lock keeps two runs in one checkout from building the same thing at the same time.
func (b Builder) lock() (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(b.Bin, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the build lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("take the build lock: %w", err), file.Close())
	}
	return func() { _ = file.Close() }, nil // closing releases the lock
}
