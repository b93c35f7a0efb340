package agent

import (
	"net"
	"testing"
	"time"
)

// TestFirstVerdictIsWaitedFor: connections that come before the first verdict get it as soon as it is there.
func TestFirstVerdictIsWaitedFor(t *testing.T) {
	r := startAgent(t, setup{config: rules})
	const early = 50
	var conns [early]*net.TCPConn
	for i := range conns {
		conns[i] = r.dial(t)
	}
	r.waitForWaiting(t, early)
	r.observed(jicofo(0), prosody(200)) // the status file is not read yet: no verdict
	if said := r.checks.up.Load() + r.checks.down.Load() + r.checks.silent.Load(); said != 0 {
		t.Errorf("%d connections were answered before the first verdict", said)
	}
	r.observed(statusFile("ready"))
	for _, conn := range conns {
		if got := readReply(t, conn); got != "up ready 100%\n" {
			t.Errorf("said %q", got)
		}
	}
}

// TestFirstVerdictIsWaitedForBounded: after the bound the connection ends without a word.
func TestFirstVerdictIsWaitedForBounded(t *testing.T) {
	r := startAgent(t, setup{config: rules, change: func(a *Agent) { a.room.verdictWait = 50 * time.Millisecond }})
	began := time.Now()
	if got := r.check(t); got != "" {
		t.Errorf("said %q without a verdict", got)
	}
	if waited := time.Since(began); waited < 50*time.Millisecond {
		t.Errorf("the connection was ended after %s", waited)
	}
	r.upReady()
	if got := r.check(t); got != "up ready 100%\n" {
		t.Errorf("then said %q", got)
	}
}

// TestFirstVerdictIsWaitedForByDefault fixes the bounds that are in force outside the tests.
func TestFirstVerdictIsWaitedForByDefault(t *testing.T) {
	r := startAgent(t, setup{config: rules})
	if room := r.room; room.verdictWait != 10*time.Second || room.answered.time != time.Second || room.places != 1024 {
		t.Errorf("%d connections wait for %s and linger for %s", room.places, room.verdictWait, room.answered.time)
	}
	if r.answered.time != time.Second || len(r.answered.ring) != 64 {
		t.Errorf("%d answered connections linger for %s", len(r.answered.ring), r.answered.time)
	}
}

// TestMoreThanMaxWait: those over the bound are closed without a word, the others are served.
func TestMoreThanMaxWait(t *testing.T) {
	const places = 5
	r := startAgent(t, setup{config: rules, change: func(a *Agent) { a.room.places = places }})
	var waiting [places]*net.TCPConn
	for i := range waiting {
		waiting[i] = r.dial(t)
	}
	r.waitForWaiting(t, places)
	for range places {
		if got := r.check(t); got != "" {
			t.Errorf("a connection over the bound was told %q", got)
		}
	}
	r.upReady()
	for _, conn := range waiting {
		if got := readReply(t, conn); got != "up ready 100%\n" {
			t.Errorf("said %q", got)
		}
	}
}

// TestMoreThanMaxLinger: peers that do not close take all places; checks are answered all the same, and who has lingered
// longest makes place.
func TestMoreThanMaxLinger(t *testing.T) {
	const places = 3
	r := startAgent(t, setup{config: rules, change: func(a *Agent) {
		a.answered = newLingering(places)
		a.answered.time = time.Hour
	}})
	r.upReady()
	const checks = 20
	for range checks {
		if got := r.check(t); got != "up ready 100%\n" {
			t.Errorf("said %q", got)
		}
	}
	r.waitForSockets(t, checks+places)
}

func TestPlacesByOpenFiles(t *testing.T) {
	for files, want := range map[uint64]int{0: 1024, 1: 1, 80: 10, 8192: 1024, 1 << 62: 1024} {
		if n := (Options{OpenFiles: files}).places(); n != want {
			t.Errorf("of %d files: %d places, want %d", files, n, want)
		}
	}
}
