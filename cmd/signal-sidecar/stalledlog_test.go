package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestStalledLog: when nobody reads the log, the verdict is still followed, and the process ends when it is told to.
func TestStalledLog(t *testing.T) {
	t.Parallel()
	n, http, agent := newShard(t, nil), testbed.LastingPort(t), testbed.LastingPort(t)
	cmd := exec.Command(testbed.Binary(t))
	cmd.Dir, cmd.Env = t.TempDir(), n.settings.With(vars{
		"HTTP_ADDR": "127.0.0.1", "TCP_ADDR": "127.0.0.1", "HTTP_PORT": http, "TCP_PORT": agent, "LOG_LEVEL": "debug",
	}).Environ()
	cmd.Stdout = fullPipe(t)
	n.sidecar = &sidecar{&testbed.Sidecar{Process: testbed.Start(t, cmd), HTTP: "127.0.0.1:" + http, Agent: "127.0.0.1:" + agent}}
	for range 20 {
		n.Say(t, "drain")
		n.becomes(t, "up drain 0%")
		n.Say(t, "ready")
		n.becomes(t, "up ready 100%")
	}
	n.prosody("code 500")
	n.becomes(t, "down ready 100%")
	if code, took := n.Stop(t, syscall.SIGTERM); code != 0 || took > stopTime {
		t.Errorf("exit %d after %s", code, took)
	}
}

// fullPipe is a pipe that takes not one byte more, and that nobody reads.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	var ends [2]int
	testbed.Must(t, syscall.Pipe2(ends[:], syscall.O_CLOEXEC))
	testbed.Must(t, syscall.SetNonblock(ends[1], true))
	for chunk := bytes.Repeat([]byte("x"), 4096); ; {
		if _, err := syscall.Write(ends[1], chunk); err != nil {
			break
		}
	}
	testbed.Must(t, syscall.SetNonblock(ends[1], false))
	t.Cleanup(func() { _ = syscall.Close(ends[0]) })
	w := os.NewFile(uintptr(ends[1]), "full pipe")
	t.Cleanup(func() { _ = w.Close() })
	return w
}
