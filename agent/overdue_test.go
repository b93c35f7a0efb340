package agent

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestOverdue checks that connections are closed without a reply while a probe is overdue, also those that were
// accepted or held before: the time of the reply counts.
func TestOverdue(t *testing.T) {
	const overdueHold = 200 * time.Millisecond
	for name, hold := range map[string]time.Duration{"agent": 0, "hold": overdueHold} {
		t.Run(name, func(t *testing.T) {
			reader := sdkmetric.NewManualReader()
			var overdue atomic.Bool
			r := startAgent(t, setup{
				config: rules, hold: hold, meters: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
				overdue: func(time.Time) bool { return overdue.Load() },
				change:  func(a *Agent) { a.freshTime = 0 },
			})
			r.upReady()
			var conns []*net.TCPConn
			if hold > 0 { // they are held before, as during a pause of the process
				conns = r.dialHeld(t, 2)
			}
			overdue.Store(true)
			for range 3 - len(conns) {
				conns = append(conns, r.dial(t))
			}
			wantReplies(t, conns, "")
			overdue.Store(false)
			if got := r.check(t); got != "up ready 100%\n" {
				t.Errorf("afterwards: got %q", got)
			}
			testbed.Eventually(t, "the checks to be counted", bound, func() bool {
				counts := collect(t, reader)
				return counts["signal.agent.checks "+name+" none"] == 3 && counts["signal.agent.checks "+name+" up"] == 1
			})
		})
	}
}

// TestOverdueAtAChange checks that a held connection is closed without a reply.
func TestOverdueAtAChange(t *testing.T) {
	var overdue atomic.Bool
	s := holdForEver()
	s.overdue = func(time.Time) bool { return overdue.Load() }
	r := startAgent(t, s)
	r.upReady()
	conns := r.dialHeld(t, 3)
	overdue.Store(true)
	r.observed(statusFile("drain"))
	wantReplies(t, conns, "")
}
