package health_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestObservationAtADeadline: an observation that is taken in between the firing of the Monitor's timer and its turn may set
// a new deadline. The Monitor must not take that one for the one that has passed.
func TestObservationAtADeadline(t *testing.T) {
	for range 100 { // which of the two comes first is the scheduler's choice
		synctest.Test(t, func(t *testing.T) {
			m := health.NewMonitor(defaultConfig(), endlessly(), checkOrder(t.Errorf))
			stop := runMonitor(m)
			observeWorking(m)
			m.Observe(t.Context(), health.Observation{At: time.Now(), Prosody: &health.Prosody{Health: health.Answer{Code: 500}}})
			time.Sleep(time.Second)
			observeWorking(m)
			time.Sleep(time.Until(m.Current().Verdict.Until))
			m.Observe(t.Context(), overloaded(time.Now()))
			sleepVirtually(time.Second)
			_ = stop()
		})
	}
}

// TestStepsInOrder: whatever is observed while Run runs, mostly at the moment of a deadline, steps and their changes never
// run backwards and none lies in the future.
func TestStepsInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := drawConfig(rt)
		run := drawLiveRun(rt, cfg)
		for i := range run {
			run[i].ns, run[i].timerFirst = 0, false
		}
		synctest.Test(t, func(t *testing.T) { run.play(t, cfg, checkOrder(rt.Errorf)) })
	})
}

// checkOrder returns a Listener that reports steps and changes that run backwards or lie in the future, and steps at which
// nothing happened.
func checkOrder(report func(format string, args ...any)) health.Listener {
	var last, deadline time.Time
	return func(_ context.Context, step health.Step, _ *health.Snapshot) {
		now := time.Now()
		check := func(what string, at time.Time) {
			if at.Before(last) || at.After(now) {
				report("%s of %s, after one of %s, at %s", what, at, last, now)
			}
			last = at
		}
		for _, c := range step.Changes {
			check("a change", c.At)
		}
		check("a step", step.At)
		if !step.Observed() && !step.At.Equal(deadline) {
			report("a step of %s without an observation; the deadline was %s", step.At, deadline)
		}
		deadline = step.Verdict.Until
	}
}
