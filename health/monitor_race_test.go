package health_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestObservationAtADeadline takes in an observation between the moment the Monitor's timer fires and the moment the
// Monitor handles it. That observation may set a new deadline. The Monitor must not mistake it for the deadline that
// has passed.
func TestObservationAtADeadline(t *testing.T) {
	for range 100 { // the scheduler decides which of the two comes first
		synctest.Test(t, func(t *testing.T) {
			m := health.NewMonitor(defaultConfig(), endlessly(), checkOrder(t.Errorf))
			stop := runMonitor(m)
			observeWorking(m)
			m.Observe(t.Context(),
				health.Observation{At: time.Now(), Prosody: &health.Prosody{Health: health.Answer{Code: 500}}})
			time.Sleep(time.Second)
			observeWorking(m)
			time.Sleep(time.Until(m.Current().Verdict.Until))
			m.Observe(t.Context(), overloaded(time.Now()))
			sleepVirtually(time.Second)
			_ = stop()
		})
	}
}

// TestStepsInOrder checks that steps and their changes never run backwards and never lie in the future. The
// observations are random, mostly at a deadline, while Run runs.
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

// checkOrder returns a Listener that reports steps and changes that run backwards or lie in the future, and steps
// without any event.
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
		// One step may pass several deadlines that lie nanoseconds apart. It is then dated at the last one.
		if !step.Observed() && (deadline.IsZero() || step.At.Before(deadline)) {
			report("a step of %s without an observation; the deadline was %s", step.At, deadline)
		}
		deadline = step.Verdict.Until
	}
}
