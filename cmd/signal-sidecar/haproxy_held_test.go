package main_test

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// checkers is the number of HAProxy's agent checks on the shard's held port: two servers in two backends.
const checkers = 4

// heldShard starts a shard with a held port.
func heldShard(t *testing.T, settings vars) *shard {
	t.Helper()
	testbed.Component(t, "haproxy")
	return startShard(t, vars{"TCP_HOLD_PORT": "0", "AGENT_HOLD": "0.4"}.With(settings))
}

// startHeldHAProxy starts a HAProxy that checks the shard's held port, for a server with agent-send and one without.
func (s *shard) startHeldHAProxy(t *testing.T, o haproxyOptions) *haproxy {
	t.Helper()
	service := strings.TrimPrefix(s.Prosody.Origin(), "http://")
	return startHAProxyWith(t, o,
		agentOf{"sending", service, s.Held, "shard", "100ms"},
		agentOf{"silent", service, s.Held, "", "100ms"})
}

func (h *haproxy) expectBoth(t *testing.T, status, weight string) {
	t.Helper()
	h.expect(t, "sending", status, weight)
	h.expect(t, "silent", status, weight)
}

// TestHAProxyFollowsHeldPort takes the shard through its states while every check is held. Each change reaches both
// backends.
func TestHAProxyFollowsHeldPort(t *testing.T) {
	t.Parallel()
	s := heldShard(t, vars{"WEIGHT_PARTICIPANTS": "true", "PARTICIPANT_MAX": "100"})
	h := s.startHeldHAProxy(t, haproxyOptions{timeoutCheck: "10s"})
	for _, step := range []struct {
		do             func()
		status, weight string
	}{
		{func() { s.SetLoad(0, 0) }, "UP", "100"},
		{func() { s.SetLoad(50, 1) }, "UP", "50"},
		{func() { s.Say(t, "drain") }, "DRAIN (agent)", "0"},
		{func() { s.Say(t, "ready") }, "UP", "50"},
		{func() { s.Say(t, "maint") }, "MAINT", "0"},
		{func() { s.Say(t, "drain") }, "DRAIN (agent)", "0"},
		{func() { s.Say(t, "ready"); s.SetLoad(0, 0) }, "UP", "100"},
		{func() { testbed.Must(t, s.Jicofo.Crash()) }, "DOWN (agent)", "0"},
		{func() { testbed.Must(t, s.Jicofo.Recover()) }, "UP", "100"},
	} {
		step.do()
		h.expectBoth(t, step.status, step.weight)
		s.holds(t, checkers)
		h.expectBoth(t, step.status, step.weight)
	}
}

// TestHAProxyWithoutTimeoutCheck checks a HAProxy that gives up on a held check after agent-inter. It keeps the last
// status, and gets each change, because the sidecar holds no check right after a change.
func TestHAProxyWithoutTimeoutCheck(t *testing.T) {
	t.Parallel()
	s := heldShard(t, nil)
	h := s.startHeldHAProxy(t, haproxyOptions{})
	for _, step := range []struct{ word, status, weight string }{
		{"ready", "UP", "100"}, {"drain", "DRAIN (agent)", "0"}, {"maint", "MAINT", "0"}, {"ready", "UP", "100"},
	} {
		s.Say(t, step.word)
		h.expect(t, "sending", step.status, step.weight)
		h.view.forget()
		testbed.Eventually(t, "HAProxy to give up on a check", bound, func() bool {
			return strings.Contains(h.view.of("checked/sending").agentStatus, "TOUT")
		})
		h.view.settle(t)
		h.view.expectNoChange(t, step.word+", given up")
	}
	if n, _ := strconv.Atoi(s.Metric("signal_agent_held")); n > 100 {
		t.Errorf("%d connections are held for %d checkers", n, checkers)
	}
	h.Signal(t, syscall.SIGKILL)
	s.expectNoneHeld(t)
}

// expectNoneHeld waits until the sidecar has no held connection left, although no change releases them.
func (s *shard) expectNoneHeld(t *testing.T) {
	t.Helper()
	testbed.Eventually(t, "the sidecar to have no held connection left", bound, func() bool {
		return s.Metric("signal_agent_held") == "0"
	})
}

// TestHAProxyGoneWhileHeld stops and kills HAProxy while its checks are held. No connection stays held, and HAProxy
// follows again after it continues or restarts.
func TestHAProxyGoneWhileHeld(t *testing.T) {
	t.Parallel()
	s := heldShard(t, nil)
	h := s.startHeldHAProxy(t, haproxyOptions{timeoutCheck: "10s"})
	s.holds(t, checkers)
	h.Signal(t, syscall.SIGSTOP)
	s.expectNoneHeld(t)
	h.Signal(t, syscall.SIGCONT)
	s.holds(t, checkers)
	s.Say(t, "drain")
	h.expectBoth(t, "DRAIN (agent)", "0")
	s.holds(t, checkers)
	h.Signal(t, syscall.SIGKILL)
	s.expectNoneHeld(t)

	again := s.startHeldHAProxy(t, haproxyOptions{timeoutCheck: "10s"})
	again.expectBoth(t, "DRAIN (agent)", "0")
	s.holds(t, checkers)
	again.Signal(t, syscall.SIGTERM)
	s.expectNoneHeld(t)
}

// TestHAProxyReloadedWhileHeld replaces HAProxy's process while checks are held. The new process follows, and no
// connection of the old processes stays held.
func TestHAProxyReloadedWhileHeld(t *testing.T) {
	t.Parallel()
	t.Run("a new process with -sf", func(t *testing.T) {
		t.Parallel()
		s := heldShard(t, nil)
		h := s.startHeldHAProxy(t, haproxyOptions{timeoutCheck: "10s"})
		for _, word := range []string{"DRAIN (agent)", "UP"} {
			s.holds(t, checkers)
			old := h.Process
			h.Process = testbed.Start(t,
				exec.Command(old.Cmd.Path, "-f", h.config, "-db", "-sf", fmt.Sprint(old.Cmd.Process.Pid)))
			old.Exit(t)
			s.holds(t, checkers)
			s.Say(t, map[string]string{"UP": "ready", "DRAIN (agent)": "drain"}[word])
			h.expectBoth(t, word, map[string]string{"UP": "100", "DRAIN (agent)": "0"}[word])
		}
		s.holds(t, checkers)
		h.Signal(t, syscall.SIGKILL)
		s.expectNoneHeld(t)
	})
	t.Run("SIGUSR2 to the master", func(t *testing.T) {
		t.Parallel()
		s := heldShard(t, nil)
		h := s.startHeldHAProxy(t, haproxyOptions{timeoutCheck: "10s", arguments: []string{"-W"}})
		for n := range 3 {
			s.holds(t, checkers)
			h.Signal(t, syscall.SIGUSR2)
			testbed.Eventually(t, "the reloaded HAProxy", bound, func() bool {
				return strings.Count(h.Stderr(), "Former worker") > n
			})
		}
		s.Say(t, "drain")
		h.expectBoth(t, "DRAIN (agent)", "0")
		s.holds(t, checkers)
		if code, _ := h.Stop(t, syscall.SIGTERM); code != 0 && code != 143 {
			t.Errorf("the master ended with %d", code)
		}
		s.expectNoneHeld(t)
	})
}
