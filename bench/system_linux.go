//go:build !portable

package main

import (
	"os/exec"
	"syscall"
	"time"
)

// endWithParent makes the kernel kill the command's process when this process ends for any reason.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// nap waits for d. In an idle program the runtime's timers are exact only to 1 ms; this wait is more exact.
func nap(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // a signal may end it early, which does no harm
}
