package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestLogReader runs the sidecar with a log reader that does not read or has exited. The verdict still changes, lost
// log lines are counted, and SIGTERM ends the process in time.
func TestLogReader(t *testing.T) {
	t.Parallel()
	for name, output := range map[string]func(*testing.T) *os.File{
		"a pipe that is full": fullPipe, "a pipe without a reader": brokenPipe, "a socket without a peer": brokenSocket,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, http, agent := newShard(t, nil), testbed.LastingPort(t), testbed.LastingPort(t)
			cmd := exec.Command(testbed.Binary(t))
			cmd.Dir, cmd.Env = t.TempDir(), n.settings.With(vars{
				"HTTP_ADDR": "127.0.0.1", "TCP_ADDR": "127.0.0.1", "HTTP_PORT": http, "TCP_PORT": agent, "LOG_LEVEL": "debug",
			}).Environ()
			cmd.Stdout = output(t)
			n.sidecar = &sidecar{&testbed.Sidecar{
				Process: testbed.Start(t, cmd), HTTP: "127.0.0.1:" + http, Agent: "127.0.0.1:" + agent,
			}}
			for range 20 {
				n.Say(t, "drain")
				n.becomes(t, "up drain 0%")
				n.Say(t, "ready")
				n.becomes(t, "up ready 100%")
			}
			n.prosody("code 500")
			n.becomes(t, "down ready 100%")
			lost := func() bool { return n.Metric("signal_log_dropped_total") != "0" }
			if name != "a pipe that is full" { // with the full pipe, the queue holds 1,024 lines before one is lost
				testbed.Eventually(t, "lost lines to be counted", bound, lost)
			}
			if code, took := n.Stop(t, syscall.SIGTERM); code != 0 || took > stopTime {
				t.Errorf("exit %d after %s", code, took)
			}
		})
	}
}

// fullPipe returns the writing end of a pipe that is full and that no reader empties.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	read, write := pipe(t)
	testbed.Must(t, syscall.SetNonblock(write, true))
	for chunk := bytes.Repeat([]byte("x"), 4096); ; {
		if _, err := syscall.Write(write, chunk); err != nil {
			break
		}
	}
	testbed.Must(t, syscall.SetNonblock(write, false))
	t.Cleanup(func() { _ = syscall.Close(read) })
	return file(t, write)
}

// brokenPipe returns the writing end of a pipe whose reading end is closed.
func brokenPipe(t *testing.T) *os.File {
	t.Helper()
	read, write := pipe(t)
	testbed.Must(t, syscall.Close(read))
	return file(t, write)
}

// brokenSocket returns one of two connected sockets, of which the other one is closed.
func brokenSocket(t *testing.T) *os.File {
	t.Helper()
	syscall.ForkLock.RLock() // no other process may inherit a descriptor before it is marked
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	testbed.Must(t, err)
	closeOnExec(ends)
	testbed.Must(t, syscall.Close(ends[0]))
	return file(t, ends[1])
}

func pipe(t *testing.T) (read, write int) {
	t.Helper()
	var ends [2]int
	syscall.ForkLock.RLock()
	testbed.Must(t, syscall.Pipe(ends[:]))
	closeOnExec(ends)
	return ends[0], ends[1]
}

// closeOnExec marks both descriptors close-on-exec, and releases syscall.ForkLock.
func closeOnExec(descriptors [2]int) {
	for _, fd := range descriptors {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
}

func file(t *testing.T, descriptor int) *os.File {
	t.Helper()
	f := os.NewFile(uintptr(descriptor), "standard output")
	t.Cleanup(func() { _ = f.Close() })
	return f
}
