package agent

import (
	"net"
	"testing"
	"time"
)

// TestFirstVerdictIsWaitedFor checks that connections before the first verdict get it as soon as it is known.
func TestFirstVerdictIsWaitedFor(t *testing.T) {
	r := startAgent(t, setup{config: rules})
	const early = 50
	var conns [early]*net.TCPConn
	for i := range conns {
		conns[i] = r.dial(t)
	}
	r.waitForWaiting(t, early)
	r.observed(jicofo(0), prosody(200)) // the status file has not been read yet: no verdict
	r.waitForWaiting(t, early)
	r.observed(statusFile("ready"))
	for _, conn := range conns {
		if got := readReply(t, conn); got != "up ready 100%\n" {
			t.Errorf("got %q", got)
		}
	}
}

// TestFirstVerdictIsWaitedForBounded checks that a connection is closed without a reply after the longest wait.
func TestFirstVerdictIsWaitedForBounded(t *testing.T) {
	r := startAgent(t, setup{config: rules, change: func(a *Agent) { a.verdictWait = 50 * time.Millisecond }})
	began := time.Now()
	if got := r.check(t); got != "" {
		t.Errorf("got %q without a verdict", got)
	}
	if waited := time.Since(began); waited < 50*time.Millisecond {
		t.Errorf("the connection was ended after %s", waited)
	}
	r.upReady()
	if got := r.check(t); got != "up ready 100%\n" {
		t.Errorf("then got %q", got)
	}
}

// TestLimitsByDefault checks the limits that are in force outside the tests.
func TestLimitsByDefault(t *testing.T) {
	r := startAgent(t, setup{config: rules, hold: 5 * time.Second})
	if r.verdictWait != 10*time.Second || r.freshTime != 5*time.Second || r.lingerTime != time.Second {
		t.Errorf("connections wait for %s, are not held for %s after a change, linger for %s",
			r.verdictWait, r.freshTime, r.lingerTime)
	}
	for files, want := range map[uint64]int{0: 1024, 1: 1024, 16: 2, 80: 10, 1024: 128, 8192: 1024, 1 << 62: 1024} {
		r := startAgent(t, setup{config: rules, files: files})
		if waiting, replied := cap(r.waiting), cap(r.replied); waiting != want || replied != want/2 {
			t.Errorf("of %d files: %d may wait, %d linger, want %d", files, waiting, replied, want)
		}
	}
}

// TestMoreThanMaxWait checks that connections over the limit are closed without a reply, and the others get one.
func TestMoreThanMaxWait(t *testing.T) {
	const places = 5
	r := startAgent(t, setup{config: rules, files: 8 * places})
	var waiting [places]*net.TCPConn
	for i := range waiting {
		waiting[i] = r.dial(t)
	}
	r.waitForWaiting(t, places)
	for range places {
		if got := r.check(t); got != "" {
			t.Errorf("a connection over the limit got %q", got)
		}
	}
	r.upReady()
	for _, conn := range waiting {
		if got := readReply(t, conn); got != "up ready 100%\n" {
			t.Errorf("got %q", got)
		}
	}
}
