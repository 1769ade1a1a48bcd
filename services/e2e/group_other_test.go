//go:build !linux

package e2e_test

import "syscall"

// ownGroup makes a process lead a group, so that it ends with all it started.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
