// Package group runs a command in a process group of its own and makes sure that nothing of it is
// left when the command ends or is interrupted. It works on Unix only, like the rest of this tool.
package group

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// grace is how long an interrupted command may take to end by itself. Test binaries end at
	// once; a compiler finishes its file.
	grace = 5 * time.Second
	// settle is how long a process may outlive the command that started it: one that was just
	// killed needs a moment to go.
	settle = 500 * time.Millisecond
)

// mark is the environment variable that tells the descendants of one command from other processes,
// also those that moved to a process group of their own.
const mark = "SPOKE_CHECK_GROUP"

// Run runs the command and waits. When ctx ends, the whole group is interrupted and, after a grace,
// killed. Whatever the command started and left running is killed in either case; its names are
// returned so that the test that forgot it can be mended.
func Run(ctx context.Context, cmd *exec.Cmd) (left []string, err error) {
	tag := fmt.Sprintf("%s=%d-%d", mark, os.Getpid(), time.Now().UnixNano())
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, tag)
	cmd.WaitDelay = grace // a forgotten child may still hold the output open
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	pgid := cmd.Process.Pid

	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		interruptWhenDone(ctx, pgid, done)
	}()
	err = cmd.Wait()
	close(done)
	<-stopped

	for deadline := time.Now().Add(settle); len(marked(tag)) > 0 && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	for _, pid := range marked(tag) {
		left = append(left, describe(pid))
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = syscall.Kill(-pgid, syscall.SIGKILL) // where there is no /proc; the group is usually gone by now
	return left, errors.Join(ctx.Err(), err)
}

// interruptWhenDone passes the end of ctx on to the group. It returns when the command has ended.
func interruptWhenDone(ctx context.Context, pgid int, done <-chan struct{}) {
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	_ = syscall.Kill(-pgid, syscall.SIGINT)
	select {
	case <-done:
	case <-time.After(grace):
		_ = syscall.Kill(-pgid, syscall.SIGKILL)
		<-done
	}
}

// marked lists the processes that carry the tag in their environment. Without a /proc (macOS) it
// finds none, and only the process group is cleaned up.
func marked(tag string) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err != nil || !strings.Contains("\x00"+string(environ), "\x00"+tag+"\x00") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func describe(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return strconv.Itoa(pid)
	}
	return fmt.Sprintf("%s (%d)", strings.TrimSpace(string(name)), pid)
}
