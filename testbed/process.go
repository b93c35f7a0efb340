package testbed

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Process is a program that a test runs.
type Process struct {
	Cmd            *exec.Cmd
	stdout, stderr string // files, because other processes may keep them open longer
	ended          chan struct{}
}

// Start starts a program and kills it at the end of the test at the latest. If the test failed, the end of the
// program's output is logged. Standard output goes to a file, unless the command sets another destination.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p, err := start(t, cmd)
	Must(t, err)
	return p
}

func start(t testing.TB, cmd *exec.Cmd) (*Process, error) {
	t.Helper()
	folder := t.TempDir()
	p := &Process{Cmd: cmd, ended: make(chan struct{})}
	p.stdout, p.stderr = filepath.Join(folder, "stdout"), filepath.Join(folder, "stderr")
	stdout, err := os.Create(p.stdout)
	Must(t, err)
	defer stdout.Close()
	stderr, err := os.Create(p.stderr)
	Must(t, err)
	defer stderr.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = stdout
	}
	cmd.Stderr = stderr
	endWithParent(cmd) // in case the tests panic
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%s: %s\nstandard output:\n%s\nstandard error:\n%s",
				cmd, cmd.ProcessState, tail(p.Stdout()), tail(p.Stderr()))
		}
	})
	return p, nil
}

// tail returns the end of a text, for the log of a failed test.
func tail(text string) string {
	const most = 4000
	return text[max(0, len(text)-most):]
}

// Stdout returns what the process has written to standard output so far.
func (p *Process) Stdout() string { return Contents(p.stdout) }

// Stderr returns what the process has written to standard error so far.
func (p *Process) Stderr() string { return Contents(p.stderr) }

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Signal sends the process a signal.
func (p *Process) Signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		t.Fatalf("send %s to %s: %v", s, p.Cmd.Path, err)
	}
}

// Exit waits for the end of the process and returns its exit code, or -1 if a signal ended it.
func (p *Process) Exit(t testing.TB) int {
	t.Helper()
	Eventually(t, p.Cmd.Path+" to end", Bound, p.Ended)
	return p.Cmd.ProcessState.ExitCode()
}

// Stop sends the process a signal and waits for its end. It returns the exit code and the time that this took.
func (p *Process) Stop(t testing.TB, s os.Signal) (code int, took time.Duration) {
	t.Helper()
	began := time.Now()
	p.Signal(t, s)
	return p.Exit(t), time.Since(began)
}
