//go:build !linux || portable

package testbed

import (
	"os/exec"
	"testing"
)

// endWithParent does nothing: only Linux can end a process together with its parent.
func endWithParent(*exec.Cmd) {}

// PeakMemory returns 0: only Linux reports the peak memory of a running process.
func (p *Process) PeakMemory(t testing.TB) int {
	t.Log("the memory of a process is measured on Linux only")
	return 0
}
