package e2e_test

import "syscall"

// ownGroup makes a process lead a group, and die with the test process even
// when that panics or is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
