package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The test's own program is started again with this variable in its
// environment to do one of the jobs below on a folder: "job:folder".
const (
	helperVariable = "SPOKE_POWERCUT_HELPER"
	jobProbe       = "probe"
	jobGuard       = "guard"
)

// This runs before the tests of any package that imports this one.
func init() {
	job, dir, ok := strings.Cut(os.Getenv(helperVariable), ":")
	if !ok {
		return
	}
	var err error
	switch job {
	case jobProbe:
		err = probe(dir)
	case jobGuard:
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test's process is gone
		err = detach(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is the helper's main
	}
	os.Exit(0) //nolint:forbidigo // as above
}

// helper is the command of a job.
func helper(job, dir string) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe) //nolint:gosec,noctx // the test's own program, ended by its caller
	// The race detector would have it sleep for a second at its end.
	cmd.Env = append(os.Environ(), helperVariable+"="+job+":"+dir, "GORACE=atexit_sleep_ms=0")
	return cmd, nil
}

// guard is a process that unmounts a folder if the test's process ends without
// having done so.
type guard struct {
	cmd  *exec.Cmd
	life io.Closer // ends with the test's process, at the latest
}

func watch(dir string) (*guard, error) {
	cmd, err := helper(jobGuard, dir)
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what ends the tests must not end it too
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &guard{cmd: cmd, life: life}, nil
}

// end lets the guard go, once nothing is mounted.
func (g *guard) end() error {
	_ = g.life.Close() // Wait tells
	return g.cmd.Wait()
}

// able says why nothing can be mounted here, or nil. The answer comes from
// another process that has tried it, so that a kernel which does not answer
// holds up no test.
var able = sync.OnceValue(func() error {
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "spoke-powercut-")
	if err != nil {
		return err
	}
	defer func() {
		_ = detach(dir) // the probe may have died in the middle
		_ = os.Remove(dir)
	}()
	cmd, err := helper(jobProbe, dir)
	if err != nil {
		return err
	}
	return try(cmd, patience)
})

// try runs a trial, which may hang.
func try(cmd *exec.Cmd, limit time.Duration) error {
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("%w: %s", err, strings.Join(strings.Fields(said.String()), " "))
		}
		return nil
	case <-time.After(limit):
		_ = cmd.Process.Kill() // it ends once the kernel lets it
		return fmt.Errorf("a trial does not end within %s", limit)
	}
}

// probe mounts a disk and does once what tests rely on.
func probe(dir string) error {
	d := newDisk()
	d.path = dir
	m, err := serve(d)
	if err != nil {
		return err
	}
	return errors.Join(exercise(dir), m.unmount())
}

func exercise(dir string) error {
	const text = "on disk"
	temp, path := filepath.Join(dir, "probe.tmp"), filepath.Join(dir, "probe")
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_RDWR|os.O_SYNC, 0o600) //nolint:gosec // the folder is the probe's own
	if err != nil {
		return err
	}
	_, wrote := f.WriteString(text)
	locked := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err := errors.Join(wrote, locked, f.Sync(), f.Close(), os.Rename(temp, path)); err != nil { //nolint:gosec // as above
		return err
	}
	folder, err := os.Open(dir) //nolint:gosec // as above
	if err != nil {
		return err
	}
	var stat syscall.Statfs_t
	if err := errors.Join(folder.Sync(), folder.Close(), syscall.Statfs(dir, &stat)); err != nil {
		return err
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != text { //nolint:gosec // as above
		return fmt.Errorf("read %q instead of %q: %w", b, text, err)
	}
	return os.Remove(path) //nolint:gosec // as above
}
