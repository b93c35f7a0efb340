package agent

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestPanicOfConnection checks that a panic closes that one connection, without a reply, and that the next ones get
// theirs, on both ports.
func TestPanicOfConnection(t *testing.T) {
	t.Parallel()
	for _, hold := range []time.Duration{0, 50 * time.Millisecond} {
		var broken atomic.Bool
		broken.Store(true)
		overdue := func(time.Time) bool {
			if broken.Load() {
				panic("broken clock")
			}
			return false
		}
		r := startAgent(t, setup{
			config: rules, hold: hold, overdue: overdue, change: func(a *Agent) { a.freshTime = 0 },
		})
		r.upReady()
		for range 5 { // more than end the process elsewhere
			if reply := r.check(t); reply != "" {
				t.Errorf("the reply is %q", reply)
			}
		}
		broken.Store(false)
		if reply := r.check(t); reply != "up ready 100%\n" {
			t.Errorf("then the reply is %q", reply)
		}
		if log := r.log.String(); strings.Count(log, `part=handler name=agent panic="broken clock"`) != 5 {
			t.Errorf("the log: %s", log)
		}
		if hold > 0 {
			r.waitForWaiting(t, 0)
		}
	}
}
