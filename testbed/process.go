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
	stdout, stderr string // files, which outlive whoever else has them open
	ended          chan struct{}
}

// Start starts a program, and kills it at the end of the test at the latest; the end of its output is shown if the test
// failed. Standard output goes to a file, unless the command says where.
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
	endWithParent(cmd) // should the tests panic
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

// tail is the end of a text, for the log of a failed test.
func tail(text string) string {
	const most = 4000
	return text[max(0, len(text)-most):]
}

// Stdout is what the process wrote to standard output so far.
func (p *Process) Stdout() string { return Contents(p.stdout) }

// Stderr is what the process wrote to standard error so far.
func (p *Process) Stderr() string { return Contents(p.stderr) }

// Ended reports whether the process is gone.
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

// Exit waits for the end and returns the exit code, -1 after a signal.
func (p *Process) Exit(t testing.TB) int {
	t.Helper()
	Eventually(t, p.Cmd.Path+" to end", Bound, p.Ended)
	return p.Cmd.ProcessState.ExitCode()
}

// Stop ends the process by a signal and returns the exit code and how long it took.
func (p *Process) Stop(t testing.TB, s os.Signal) (code int, took time.Duration) {
	t.Helper()
	began := time.Now()
	p.Signal(t, s)
	return p.Exit(t), time.Since(began)
}
