package rest

import (
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestTurns checks that a request waits while all turns are in use, and that the health endpoints do not wait.
func TestTurns(t *testing.T) {
	t.Parallel()
	r := startServer(t, setup{})
	r.node.enter(t, "up")
	for range cap(r.bounds.turns) {
		r.bounds.turns <- struct{}{}
	}
	waiting := r.dial(t)
	done := make(chan int, 1)
	go func() { done <- get(t, waiting, "/signal/report") }()
	for _, path := range openRoutes {
		if code := r.ask(t, "GET", path).code; code != 200 {
			t.Errorf("%s answers %d", path, code)
		}
	}
	testbed.Eventually(t, "the request to be in progress", bound, func() bool { return r.idleConnections() == 1 })
	select {
	case code := <-done:
		t.Errorf("a reply without a turn: %d", code)
	default:
	}
	r.bounds.turns.end()
	if code := <-done; code != 200 {
		t.Errorf("then %d", code)
	}
}

// TestTurnEndsAtTheFirstWrite checks that replies whose clients are still receiving them take no turn: event streams,
// which never end.
func TestTurnEndsAtTheFirstWrite(t *testing.T) {
	t.Parallel()
	r := startServer(t, setup{})
	r.node.enter(t, "up")
	for range cap(r.bounds.turns) + 2 {
		r.openStream(t)
	}
	if code := r.ask(t, "GET", "/signal/report").code; code != 200 {
		t.Errorf("the report answers %d", code)
	}
	if n := len(r.bounds.turns); n > 0 {
		t.Errorf("%d turns are still in use", n)
	}
}
