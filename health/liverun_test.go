package health_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// liveRun is a list of steps for a Monitor that runs under virtual time.
type liveRun []liveStep

type liveStep struct {
	pass        time.Duration
	toDeadline  bool          // pass to the deadline instead, if there is one, and ns further
	ns          time.Duration // -1 to 1
	timerFirst  bool          // the Monitor's timer fires before the observation
	knownBefore time.Duration // how long before its arrival the observation was made
	o           *health.Observation
}

func drawLiveRun(t *rapid.T, cfg health.Config) liveRun {
	var run liveRun
	for _, s := range startWorking(t) {
		run = append(run, liveStep{o: s.o})
	}
	for range rapid.IntRange(1, 20).Draw(t, "steps") {
		run = append(run, liveStep{
			rapid.SampledFrom([]time.Duration{
				0, 1, time.Second, 4 * time.Second, 31 * time.Second, 121 * time.Second,
			}).Draw(t, "pass"),
			rapid.Bool().Draw(t, "to the deadline"), time.Duration(rapid.IntRange(-1, 1).Draw(t, "ns")),
			rapid.Bool().Draw(t, "timer first"),
			rapid.SampledFrom([]time.Duration{0, 0, 1, time.Second}).Draw(t, "known before"),
			drawObservation(t, cfg),
		})
	}
	return run
}

// play runs the steps in a synctest bubble.
func (run liveRun) play(t *testing.T, cfg health.Config, listener health.Listener) {
	monitor := health.NewMonitor(cfg, listener)
	stop := runMonitor(monitor)
	for _, s := range run {
		pass := s.pass
		if until := monitor.Current().Verdict.Until; !until.IsZero() && s.toDeadline {
			pass = time.Until(until) + s.ns
		}
		time.Sleep(pass) // virtual
		if s.timerFirst {
			synctest.Wait()
		}
		o := *s.o
		o.At = time.Now().Add(-s.knownBefore)
		monitor.Observe(t.Context(), o)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
