package main_test

import (
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// simulation is a running signal-sidecar simulate.
type simulation struct {
	*testbed.Process
	jicofo, prosody, control string // host:port
}

func startSimulation(t *testing.T) *simulation {
	t.Helper()
	s := &simulation{
		jicofo: testbed.LastingAddress(t), prosody: testbed.LastingAddress(t), control: testbed.LastingAddress(t),
	}
	cmd := exec.Command(testbed.Binary(t), "simulate",
		"--jicofo-addr", s.jicofo, "--prosody-addr", s.prosody,
		"--control-addr", s.control, "--domain", "other.example")
	cmd.Dir, cmd.Env = t.TempDir(), vars{}.Environ()
	s.Process = testbed.Start(t, cmd)
	testbed.Eventually(t, "the simulated node", bound, func() bool {
		return strings.Contains(s.Stdout(), "http://"+s.control+"/") || s.Ended()
	})
	return s
}

// command sends a command to the control endpoint of the node.
func (s *simulation) command(t *testing.T, path, text string) {
	t.Helper()
	testbed.Post(t, "http://"+s.control+path, text)
}

// TestSimulate runs a sidecar and a simulated node in separate processes. The node's jicofo crashes and recovers on the
// same port.
func TestSimulate(t *testing.T) {
	t.Parallel()
	n := startSimulation(t)
	folder := t.TempDir()
	status := write(t, folder, "shard-status", "ready\n")
	s := startSidecar(t, testbed.Quick.With(vars{
		"JICOFO_ORIG": "http://" + n.jicofo, "PROSODY_ORIG": "http://" + n.prosody, "STATUS_PATH": status,
		"CENSUS_POLL": "true", "CENSUS_HOST": "other.example",
	}))
	s.becomes(t, "up ready 100%")
	testbed.Eventually(t, "the census of the domain", bound, func() bool { return s.Metric("signal_census") == "1" })
	n.command(t, "/jicofo", "crash")
	s.becomes(t, "down ready 100%")
	n.command(t, "/jicofo", "recover")
	s.becomes(t, "up ready 100%")
	if code, took := n.Stop(t, syscall.SIGTERM); code != 0 || took > stopTime {
		t.Errorf("exit %d after %s", code, took)
	}
}

// TestSimulateBadAddresses checks that an error names every invalid address, and the address of a port in use.
func TestSimulateBadAddresses(t *testing.T) {
	t.Parallel()
	r := run(t, nil, "simulate", "--jicofo-addr", "8888", "--prosody-addr", ":70000", "--control-addr", "127.0.0.1:0")
	const accepted = "must be an address to listen on, host:port, such as 127.0.0.1:8888 or :8888"
	if want := []string{
		`signal-sidecar: --jicofo-addr="8888" (flag): ` + accepted,
		`signal-sidecar: --prosody-addr=":70000" (flag): ` + accepted,
	}; r.code != 2 || !slices.Equal(r.problems(), want) {
		t.Errorf("exit %d, %q, want 2, %q", r.code, r.problems(), want)
	}
	for _, flag := range []string{"--jicofo-addr", "--prosody-addr", "--control-addr"} {
		args := []string{
			"simulate", "--jicofo-addr", "127.0.0.1:0", "--prosody-addr", "127.0.0.1:0", "--control-addr", "127.0.0.1:0",
		}
		address := "127.0.0.1:" + occupy(t)
		r := run(t, nil, append(args, flag, address)...)
		if r.code != 1 || len(r.problems()) != 1 ||
			!strings.Contains(r.stderr, address) || !strings.Contains(r.stderr, "address already in use") {
			t.Errorf("%s taken: exit %d\n%s", flag, r.code, r.stderr)
		}
	}
}
