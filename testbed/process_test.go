package testbed_test

import (
	"bytes"
	"os/exec"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestProcess follows a program that runs until its standard input ends.
func TestProcess(t *testing.T) {
	cmd := exec.Command("sh", "-c", "echo said; echo complained >&2; cat; exit 7")
	in, err := cmd.StdinPipe()
	testbed.Must(t, err)
	p := testbed.Start(t, cmd)
	testbed.Eventually(t, "its output", testbed.Bound, func() bool {
		return p.Stdout() == "said\n" && p.Stderr() == "complained\n"
	})
	if p.Ended() {
		t.Error("the program has ended although its standard input is open")
	}
	testbed.Must(t, in.Close())
	if code := p.Exit(t); code != 7 || !p.Ended() {
		t.Errorf("exit %d, ended: %v", code, p.Ended())
	}
}

// TestProcessIsStopped stops a process by a signal. Its output goes where its command sets it.
func TestProcessIsStopped(t *testing.T) {
	cmd := exec.Command("cat")
	_, err := cmd.StdinPipe()
	testbed.Must(t, err)
	var said bytes.Buffer
	cmd.Stdout = &said
	p := testbed.Start(t, cmd)
	if code, took := p.Stop(t, syscall.SIGTERM); code != -1 || took > testbed.Bound || p.Stdout() != "" {
		t.Errorf("exit %d after %s, %q", code, took, p.Stdout())
	}
}
