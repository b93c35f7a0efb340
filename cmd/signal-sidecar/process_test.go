package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"math/rand/v2"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// process is a program that a test runs. It is killed at the end of the test at the latest, and its output shown if the
// test failed.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr string // files, which outlive whoever else has them open
	ended          chan struct{}
}

func startProcess(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	dir := t.TempDir()
	p := &process{cmd: cmd, stdout: filepath.Join(dir, "stdout"), stderr: filepath.Join(dir, "stderr"), ended: make(chan struct{})}
	out, errOut := create(t, p.stdout), create(t, p.stderr)
	defer out.Close()
	defer errOut.Close()
	cmd.Stdout, cmd.Stderr = out, errOut
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // should the tests panic
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
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
				cmd, cmd.ProcessState, tail(p.stdout), tail(p.stderr))
		}
	})
	return p
}

func create(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// tail is the end of a file, for the log of a failed test.
func tail(path string) string {
	const most = 4000
	content := contents(path)
	return content[max(0, len(content)-most):]
}

func contents(path string) string {
	content, _ := os.ReadFile(path) // not there is empty
	return string(content)
}

// hasEnded reports whether the process is gone.
func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("send %s to %s: %v", s, p.cmd.Path, err)
	}
}

// exit waits for the end and returns the exit code, -1 after a signal.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	testbed.Eventually(t, p.cmd.Path+" to end", bound, p.hasEnded)
	return p.cmd.ProcessState.ExitCode()
}

// stop ends the process by a signal and returns the exit code and how long it took.
func (p *process) stop(t *testing.T, s os.Signal) (code int, took time.Duration) {
	t.Helper()
	began := time.Now()
	p.signal(t, s)
	return p.exit(t), time.Since(began)
}

// peakMemory is the largest resident size that the process ever had, in bytes.
func (p *process) peakMemory(t *testing.T) int {
	t.Helper()
	var kib int
	for line := range strings.Lines(contents(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	t.Fatal("the process does not tell its memory")
	return 0
}

// marked lists the processes whose environment holds the text.
func marked(text string) (pids []string) {
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environments {
		if strings.Contains(contents(path), text) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

var lastingPorts = struct {
	sync.Mutex
	taken map[int]bool
}{taken: map[int]bool{}}

// lastingPort returns a free port of 127.0.0.1 that stays free while nobody listens: it lies below the ranges from which
// systems choose ports for connections, and from which package signalnode does.
func lastingPort(t *testing.T) string {
	t.Helper()
	lastingPorts.Lock()
	defer lastingPorts.Unlock()
	for range 100 {
		port := 10000 + rand.IntN(9000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil || lastingPorts.taken[port] {
			continue
		}
		_ = l.Close()
		lastingPorts.taken[port] = true
		return fmt.Sprint(port)
	}
	t.Fatal("no free port to be had")
	return ""
}

// occupy listens on a port for the length of the test, and returns the port.
func occupy(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
