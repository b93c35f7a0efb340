package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// process is a program that a test runs. It is killed at the end of the test at the latest, and the end of its output
// shown if the test failed.
type process struct {
	cmd    *exec.Cmd
	output string // a file
	ended  chan struct{}
}

func startProcess(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, output: filepath.Join(t.TempDir(), "output"), ended: make(chan struct{})}
	out, err := os.Create(p.output)
	testbed.Must(t, err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // should the tests panic
	testbed.Must(t, cmd.Start())
	go func() {
		defer close(p.ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			content := contents(p.output)
			t.Logf("%s: %s\n%s", cmd, cmd.ProcessState, content[max(0, len(content)-4000):])
		}
	})
	return p
}

func contents(path string) string {
	content, _ := os.ReadFile(path) // not there is empty
	return string(content)
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stop ends the process politely and returns its exit code and how long that took.
func (p *process) stop(t *testing.T) (code int, took time.Duration) {
	t.Helper()
	began := time.Now()
	testbed.Must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	testbed.Eventually(t, p.cmd.Path+" to end", bound, p.hasEnded)
	return p.cmd.ProcessState.ExitCode(), time.Since(began)
}

// peakMemory is the largest resident size that the process ever had, in MiB.
func (p *process) peakMemory(t *testing.T) int {
	t.Helper()
	var kib int
	for line := range strings.Lines(contents(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib >> 10
		}
	}
	t.Fatal("the process does not tell its memory")
	return 0
}
