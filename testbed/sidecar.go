package testbed

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// Loopback makes the sidecar listen on free ports of loopback.
var Loopback = Vars{"HTTP_ADDR": "127.0.0.1", "TCP_ADDR": "127.0.0.1", "HTTP_PORT": "0", "TCP_PORT": "0"}

// Quick makes the sidecar poll often, without dampening and without a grace interval.
var Quick = Vars{
	"POLLING_INTERVAL": "0.1", "PROBE_TIMEOUT": "10", "HEALTH_DAMPENING_INTERVAL": "0", "DRAIN_GRACE_INTERVAL": "0",
}

// Sidecar is the running binary.
type Sidecar struct {
	*Process
	HTTP, Agent string // addresses
	Held        string // address of the held agent port, "" without it
}

// StartSidecar runs the binary and returns when its ports are open. They are free ports of loopback, unless the
// variables set others.
func StartSidecar(t testing.TB, v Vars) *Sidecar {
	t.Helper()
	return StartSidecarBy(t, v, Binary(t))
}

// StartSidecarBy is like StartSidecar, but starts a program that becomes the binary.
func StartSidecarBy(t testing.TB, v Vars, program string, args ...string) *Sidecar {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), program, args...)
	cmd.Dir, cmd.Env = t.TempDir(), Loopback.With(v).Environ()
	s := &Sidecar{Process: Start(t, cmd)}
	s.started(t)
	return s
}

// started waits until the ports are open, and takes their addresses from the log.
func (s *Sidecar) started(t testing.TB) {
	t.Helper()
	Eventually(t, "the sidecar to open its ports", Bound, func() bool {
		if s.Ended() {
			t.Fatal("the sidecar ended instead of running")
		}
		started := s.Logged("signal-sidecar started")
		if len(started) == 0 {
			return false
		}
		s.HTTP, s.Agent = fmt.Sprint(started[0]["http"]), fmt.Sprint(started[0]["agent"])
		s.Held, _ = started[0]["agent_hold"].(string)
		return true
	})
}

// Entry is a line of the log.
type Entry map[string]any

// Log returns all lines that were logged so far.
func (s *Sidecar) Log() (all []Entry) {
	for line := range strings.Lines(s.Stdout()) {
		var e Entry
		if json.Unmarshal([]byte(line), &e) == nil {
			all = append(all, e)
		}
	}
	return all
}

// Logged returns the lines with the message and the attributes, which are given as names and values.
func (s *Sidecar) Logged(message string, attributes ...string) (found []Entry) {
	for _, e := range s.Log() {
		fits := e["message"] == message
		for i := 0; fits && i < len(attributes); i += 2 {
			fits = fmt.Sprint(e[attributes[i]]) == attributes[i+1]
		}
		if fits {
			found = append(found, e)
		}
	}
	return found
}

// Metric returns the value of a series in /metrics, such as signal_probe_success{probe="prosody"}, or "" if it is
// missing.
func (s *Sidecar) Metric(series string) string {
	_, text := Get("http://" + s.HTTP + "/metrics")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Becomes waits until the agent replies with the line, which is given without its line end.
func (s *Sidecar) Becomes(t testing.TB, line string) {
	t.Helper()
	last := ""
	defer func() {
		if t.Failed() {
			t.Logf("the agent's last reply: %q", last)
		}
	}()
	Eventually(t, fmt.Sprintf("the agent to say %q", line), Bound, func() bool {
		var err error
		last, err = Ask(s.Agent)
		return err == nil && last == line+"\n"
	})
}
