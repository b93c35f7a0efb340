//go:build !portable

package main

import (
	"os/exec"
	"syscall"
	"time"
)

// endWithParent has the kernel kill the process of a command when this one ends, however it ends.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// nap waits for d. In an idle program the runtime's timers are only exact to 1 ms; this wait is exact to less.
func nap(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // a signal may end it early, which does no harm
}
