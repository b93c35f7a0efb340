//go:build !portable

package testbed

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// endWithParent makes the kernel kill the command's process when this process ends for any reason.
func endWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// PeakMemory returns the largest resident size that the process has had so far, in bytes.
func (p *Process) PeakMemory(t testing.TB) int {
	t.Helper()
	var kib int
	for line := range strings.Lines(Contents(fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid))) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	t.Fatal("/proc does not give the peak memory of the process")
	return 0
}
