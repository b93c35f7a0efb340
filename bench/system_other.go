//go:build !linux || portable

package main

import (
	"os/exec"
	"time"
)

// endWithParent does nothing: only Linux can end a process together with its parent.
func endWithParent(*exec.Cmd) {}

// nap waits for d, with the accuracy of the runtime's timers.
func nap(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // a measurement waits for an exact time
