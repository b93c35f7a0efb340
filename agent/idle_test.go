package agent

import (
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestIdlePeers checks on both ports that peers that never close use a bounded number of the agent's sockets, and that
// a check still gets its reply.
func TestIdlePeers(t *testing.T) {
	const files, peers = 80, 300
	for name, hold := range map[string]time.Duration{"ordinary port": 0, "held port": time.Hour} {
		t.Run(name, func(t *testing.T) {
			r := startAgent(t, setup{config: rules, hold: hold, files: files,
				change: func(a *Agent) { a.freshTime, a.lingerTime = 0, time.Hour }})
			r.upReady()
			for n := range peers {
				r.dial(t)
				if n%50 == 0 && (hold == 0 || n > files) {
					if got := r.check(t); got != "up ready 100%\n" {
						t.Errorf("got %q", got)
					}
				}
			}
			most := cap(r.waiting) + cap(r.replied) + 1 // the one that closeReplied lingers on
			testbed.Eventually(t, "the agent to close connections", bound,
				func() bool { return sockets() <= r.idle+peers+peers/50+most })
			r.observed(statusFile("drain"))
			if got := r.check(t); got != "up drain 0%\n" {
				t.Errorf("got %q", got)
			}
		})
	}
}
