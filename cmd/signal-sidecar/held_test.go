package main_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// holds waits until n connections are held.
func (s *sidecar) holds(t *testing.T, n int) {
	t.Helper()
	testbed.Eventually(t, fmt.Sprint(n, " connections to be held"), bound, func() bool {
		return s.Metric("signal_agent_held") == fmt.Sprint(n)
	})
}

// TestHeldPort checks the held port and the ordinary port, which never holds a connection.
func TestHeldPort(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"TCP_HOLD_PORT": "0", "AGENT_HOLD": "0.2"})
	s.becomes(t, "up ready 100%")
	var replies []<-chan string
	testbed.Eventually(t, "a connection to be held", bound, func() bool {
		replies = append(replies, wait(t, s.Held))
		return s.Metric("signal_agent_held") != "0"
	})
	s.Say(t, "drain")
	s.becomes(t, "up drain 0%")
	for _, reply := range append(replies, wait(t, s.Held)) {
		if got := replyOf(t, reply); got != "up ready 100%\n" && got != "up drain 0%\n" {
			t.Errorf("the held agent replied %q", got)
		}
	}
	testbed.Eventually(t, "the held port to say drain", bound, func() bool {
		return replyOf(t, wait(t, s.Held)) == "up drain 0%\n"
	})
	testbed.Eventually(t, "no connection to be held", bound, func() bool { return s.Metric("signal_agent_held") == "0" })
	if notices := s.Logged("setting is not in force as given"); len(notices) > 0 {
		t.Errorf("notices: %v", notices)
	}
}

// TestHeldPortAtStop checks that clients held when the sidecar stops get the current status.
func TestHeldPortAtStop(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"TCP_HOLD_PORT": "0", "AGENT_HOLD": "1"})
	s.becomes(t, "up ready 100%")
	var replies []<-chan string
	testbed.Eventually(t, "a connection to be held", bound, func() bool {
		replies = append(replies, wait(t, s.Held))
		return s.Metric("signal_agent_held") != "0"
	})
	if code, _ := s.Stop(t, os.Interrupt); code != 0 {
		t.Errorf("exit %d", code)
	}
	for _, reply := range replies {
		if got := replyOf(t, reply); got != "up ready 100%\n" {
			t.Errorf("at the stop the held agent replied %q", got)
		}
	}
}

// TestHeldPortIsOff checks that without TCP_HOLD_PORT no held port is open, and that it has no metric.
func TestHeldPortIsOff(t *testing.T) {
	t.Parallel()
	s := startShard(t, nil)
	s.becomes(t, "up ready 100%")
	if s.Held != "" {
		t.Errorf("the held port is %s", s.Held)
	}
	if value := s.Metric("signal_agent_held"); value != "" {
		t.Errorf("signal_agent_held is %s", value)
	}
}
