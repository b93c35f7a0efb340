package health_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// observeWorking makes the monitor observe a node without failures.
func observeWorking(m *health.Monitor) {
	n, now := workingNode(), time.Now()
	for _, each := range []part{partJicofo, partProsody, partStatusFile} {
		m.Observe(context.Background(), n.observe(each, now))
	}
}

// overloaded returns an observation of a jicofo that answers 503, which qualifies for grace.
func overloaded(at time.Time) health.Observation {
	return health.Observation{
		At: at, Jicofo: &health.Jicofo{Health: health.Answer{Code: 503}, Stats: health.Answer{Code: 200}},
	}
}

// runMonitor runs a monitor in the bubble until stop is called. stop returns the result of Run.
func runMonitor(m *health.Monitor) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// endlessly returns a Listener for bubbles in which Run runs. A bug in Run could publish the same deadline again and
// again while the bubble's time stands still. The Listener turns this hang into a failure.
func endlessly() health.Listener {
	published := 0
	return func(context.Context, health.Step, *health.Snapshot) {
		if published++; published > 100_000 {
			panic("the monitor publishes without end")
		}
	}
}

// sleepVirtually advances the bubble's time and waits until everything due by then has happened.
func sleepVirtually(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestMonitorBeforeTheFirstObservation(t *testing.T) {
	s := health.NewMonitor(defaultConfig()).Current()
	if s == nil {
		t.Fatal("Current is nil")
	}
	if s.Verdict.Known || s.AgentLine != nil || !s.At.IsZero() || s.UnhealthyRuns != 0 {
		t.Errorf("a monitor that has seen nothing says %+v", s)
	}
	if s.Jicofo != nil || s.Prosody != nil || s.StatusFile != nil || s.Census != nil {
		t.Errorf("a monitor that has seen nothing has observations: %+v", s)
	}
}

// TestMonitorAgentLine checks that the snapshot holds the agent reply, with its line end.
func TestMonitorAgentLine(t *testing.T) {
	m := health.NewMonitor(defaultConfig())
	observeWorking(m)
	if got := string(m.Current().AgentLine); got != "up ready 100%\n" {
		t.Errorf("the agent line is %q", got)
	}
	if got, want := m.Current().Verdict.AgentLine()+"\n", string(m.Current().AgentLine); got != want {
		t.Errorf("the verdict says %q, the snapshot %q", got, want)
	}
	if got := (health.Verdict{}).AgentLine(); got != "" {
		t.Errorf("no verdict says %q", got)
	}
}

// TestMonitorPublishesAtDeadlines checks that the verdict changes without an observation, exact to the nanosecond.
func TestMonitorPublishesAtDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := health.NewMonitor(defaultConfig(), endlessly())
		stop := runMonitor(m)
		observeWorking(m)
		m.Observe(context.Background(), overloaded(time.Now()))
		sleepVirtually(120*time.Second - 1)
		if got := m.Current().Verdict.State(); got != "drain" {
			t.Errorf("1 ns before the grace ends the node is %s", got)
		}
		observedAt := m.Current().At
		sleepVirtually(1)
		if got := m.Current().Verdict.State(); got != "down" {
			t.Errorf("when the grace ends the node is %s", got)
		}
		if got := m.Current().At; !got.Equal(observedAt) {
			t.Errorf("a deadline moved At from %s to %s", observedAt, got)
		}
		if err := stop(); err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

// TestMonitorKeepsAnEarlierDeadline checks that an observation can set a deadline while Run sleeps, first without a
// deadline (for hours), then until a later one.
func TestMonitorKeepsAnEarlierDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := health.NewMonitor(defaultConfig(), endlessly())
		stop := runMonitor(m)
		observeWorking(m)
		sleepVirtually(5 * time.Hour) // Run has nothing to wait for
		m.Observe(context.Background(), overloaded(time.Now()))
		sleepVirtually(time.Second) // Run waits for the end of the grace, 119 s ahead
		m.Observe(context.Background(),
			health.Observation{At: time.Now(), Prosody: &health.Prosody{Health: health.Answer{Code: 500}}})
		observeWorking(m)
		sleepVirtually(30*time.Second - 1)
		if got := m.Current().Verdict.State(); got != "down" {
			t.Errorf("1 ns before the dampening ends the node is %s", got)
		}
		sleepVirtually(1)
		if got := m.Current().Verdict.State(); got != "ready" {
			t.Errorf("when the dampening ends the node is %s", got)
		}
		if err := stop(); err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

// TestMonitorDropsADeadlineThatIsOver checks that the end of the grace publishes nothing after a recovery.
func TestMonitorDropsADeadlineThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := health.NewMonitor(defaultConfig(), endlessly())
		stop := runMonitor(m)
		observeWorking(m)
		m.Observe(context.Background(), overloaded(time.Now()))
		sleepVirtually(time.Second)
		observeWorking(m)
		last := m.Current()
		sleepVirtually(10 * time.Minute)
		if m.Current() != last {
			t.Errorf("published again: %+v", m.Current().Verdict)
		}
		_ = stop()
	})
}

// TestMonitorRunEnds checks that Run returns nil when its context ends, with and without a deadline ahead.
func TestMonitorRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, waiting := range []bool{false, true} {
			m := health.NewMonitor(defaultConfig(), endlessly())
			stop := runMonitor(m)
			observeWorking(m)
			if waiting {
				m.Observe(context.Background(), overloaded(time.Now()))
			}
			sleepVirtually(time.Second)
			if err := stop(); err != nil {
				t.Errorf("waiting for a deadline %t: Run returned %v", waiting, err)
			}
		}
	})
}

// TestSuperseded checks that the next snapshot closes the channel of the current one, after an observation and after a
// deadline.
func TestSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := health.NewMonitor(defaultConfig(), endlessly())
		stop := runMonitor(m)
		first := m.Current()
		if isClosed(first.Superseded()) {
			t.Error("the current snapshot is superseded")
		}
		observeWorking(m)
		m.Observe(context.Background(), overloaded(time.Now()))
		grace := m.Current()
		if !isClosed(first.Superseded()) || isClosed(grace.Superseded()) {
			t.Error("not exactly the older snapshot is superseded after an observation")
		}
		sleepVirtually(120 * time.Second)
		if !isClosed(grace.Superseded()) || isClosed(m.Current().Superseded()) {
			t.Error("not exactly the older snapshot is superseded after a deadline")
		}
		_ = stop()
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestSupersededMeansPublished checks that a reader that waited for the channel finds a newer snapshot.
func TestSupersededMeansPublished(t *testing.T) {
	m := health.NewMonitor(defaultConfig())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 100 {
				s := m.Current()
				select {
				case <-s.Superseded():
				default:
					observeWorking(m)
					select {
					case <-s.Superseded():
					case <-time.After(10 * time.Second):
						t.Error("not superseded by an observation")
						return
					}
				}
				if m.Current() == s {
					t.Error("superseded by nothing")
				}
			}
		})
	}
	readers.Wait()
}

// listenerContext is a context key that marks the observation that a listener is called for.
type listenerContext struct{}

// TestListeners checks that listeners get each snapshot in order, with the context of the observation, when the
// snapshot is already current. They are called in the order in which they were given.
func TestListeners(t *testing.T) {
	var m *health.Monitor
	var calls []string
	var steps []health.Step
	var after *health.Snapshot
	listener := func(name string) health.Listener {
		return func(ctx context.Context, step health.Step, now *health.Snapshot) {
			calls = append(calls, fmt.Sprint(name, " ", ctx.Value(listenerContext{})))
			if m.Current() != now {
				t.Errorf("%s is called with a snapshot that is not current", name)
			}
			if after != nil && after != now && !isClosed(after.Superseded()) {
				t.Errorf("%s is called while the snapshot before is not superseded", name)
			}
			steps, after = append(steps, step), now
		}
	}
	m = health.NewMonitor(defaultConfig(), listener("first"), listener("second"))
	for i, name := range []string{"a", "b"} {
		m.Observe(context.WithValue(context.Background(), listenerContext{}, name), overloaded(epoch.Add(time.Duration(i))))
	}
	for i, step := range steps {
		if want := epoch.Add(time.Duration(i / 2)); !step.Observed() || !step.At.Equal(want) ||
			step.Observation.Jicofo.Health.Code != 503 {
			t.Errorf("call %d got the step %+v, want that of %s", i, step, want)
		}
	}
	if want := []string{"first a", "second a", "first b", "second b"}; !slices.Equal(calls, want) {
		t.Errorf("called %q, want %q", calls, want)
	}
}

// TestListenersAreToldOfDeadlines checks that listeners also get a change that only a deadline causes.
func TestListenersAreToldOfDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var states []string
		m := health.NewMonitor(defaultConfig(), endlessly(), func(_ context.Context, step health.Step, _ *health.Snapshot) {
			for _, c := range step.Changes {
				states = append(states, c.To.State())
			}
		})
		stop := runMonitor(m)
		observeWorking(m)
		m.Observe(context.Background(), overloaded(time.Now()))
		sleepVirtually(time.Hour)
		_ = stop()
		if want := []string{"ready", "drain", "down"}; !slices.Equal(states, want) {
			t.Errorf("told %q, want %q", states, want)
		}
	})
}

// TestObserveIsVisible checks that every reader sees the result of Observe when it returns.
func TestObserveIsVisible(t *testing.T) {
	m := health.NewMonitor(defaultConfig())
	observeWorking(m)
	for _, word := range []string{"drain", "maint", "ready"} {
		m.Observe(context.Background(),
			health.Observation{At: time.Now(), StatusFile: &health.StatusFile{Found: true, Contents: word}})
		if got := m.Current().Verdict.State(); got != word {
			t.Errorf("after %s the state is %s", word, got)
		}
	}
}

// TestObservedAtNeverRunsBackwards checks that an observation made before the latest one, but taken in after it, counts
// as made at the time of the latest. The report's time does not go back.
func TestObservedAtNeverRunsBackwards(t *testing.T) {
	m, n := health.NewMonitor(defaultConfig()), workingNode()
	for _, c := range []struct{ made, want time.Duration }{{5, 5}, {3, 5}, {5, 5}, {6, 6}} {
		m.Observe(context.Background(), n.observe(partProsody, epoch.Add(c.made*time.Second)))
		if got, want := m.Current().At, epoch.Add(c.want*time.Second); !got.Equal(want) {
			t.Errorf("observed at %d s, At is %s, want %s", c.made, got, want)
		}
	}
}

// TestConcurrentObservations runs several collectors and readers at once. No step is lost to the listeners, their
// changes form a chain, and readers only see complete snapshots.
func TestConcurrentObservations(t *testing.T) {
	const collectors, observations = 8, 200
	var observed int
	var last health.Verdict
	m := health.NewMonitor(defaultConfig(), func(_ context.Context, step health.Step, after *health.Snapshot) {
		for _, c := range step.Changes {
			if !last.Same(c.From) {
				t.Error("a change was skipped or came out of order")
			}
			last = c.To
		}
		if !last.Same(step.Verdict) || !step.Verdict.Same(after.Verdict) {
			t.Error("the step ends with another verdict than its last change or its snapshot")
		}
		if step.Observed() {
			observed++
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	running.Go(func() {
		for ctx.Err() == nil {
			s := m.Current()
			if want := s.Verdict.AgentLine(); s.Verdict.Known && string(s.AgentLine) != want+"\n" {
				t.Errorf("a snapshot says %q and %q", s.AgentLine, want)
			}
		}
	})
	var observing sync.WaitGroup
	for i := range collectors {
		observing.Go(func() {
			n := workingNode()
			if i%2 == 1 {
				n.jicofo.Health.Code = 503
			}
			for range observations {
				m.Observe(ctx, n.observe(part(i%4), time.Now()))
			}
		})
	}
	observing.Wait()
	cancel()
	running.Wait()
	if observed != collectors*observations {
		t.Errorf("%d observations made %d steps", collectors*observations, observed)
	}
}

// TestVerdictWords covers State and RootReason, the two words for labels and logs.
func TestVerdictWords(t *testing.T) {
	unknown := health.Verdict{Known: true, Healthy: true, Status: health.StatusUnknown}
	down := health.Verdict{Known: true, Status: health.StatusReady, Reasons: []health.Reason{
		{Code: health.ReasonProsodyTimeout}, {Code: health.ReasonJicofoTimeout},
	}}
	for _, c := range []struct {
		verdict health.Verdict
		state   string
		root    health.Code
	}{
		{health.Verdict{}, "none", "none"},
		{unknown, "unknown", "none"},
		{down, "down", health.ReasonProsodyTimeout},
	} {
		if state, root := c.verdict.State(), c.verdict.RootReason(); state != c.state || root != c.root {
			t.Errorf("%+v is %s for %s, want %s for %s", c.verdict, state, root, c.state, c.root)
		}
	}
}

// TestSame checks that a change of known, healthy, damped or status is a change of the verdict, and a change of weight,
// reasons or deadline is not.
func TestSame(t *testing.T) {
	v := health.Verdict{Known: true, Healthy: true, Status: health.StatusReady, Weight: 100}
	for _, c := range []struct {
		what   string
		change func(*health.Verdict)
		same   bool
	}{
		{"nothing", func(*health.Verdict) {}, true},
		{"weight", func(w *health.Verdict) { w.Weight = 5 }, true},
		{"reasons", func(w *health.Verdict) { w.Reasons = []health.Reason{{Code: health.ReasonDampening}} }, true},
		{"until", func(w *health.Verdict) { w.Until = epoch }, true},
		{"known", func(w *health.Verdict) { w.Known = false }, false},
		{"healthy", func(w *health.Verdict) { w.Healthy = false }, false},
		{"damped", func(w *health.Verdict) { w.Damped = true }, false},
		{"status", func(w *health.Verdict) { w.Status = health.StatusDrain }, false},
	} {
		w := v
		c.change(&w)
		if v.Same(w) != c.same || w.Same(v) != c.same {
			t.Errorf("a verdict with another %s: Same is not %t", c.what, c.same)
		}
	}
}

// TestOverdue checks that Overdue reports a change of the verdict only if it was not made.
func TestOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := health.NewMonitor(defaultConfig())
		expect := func(at time.Time, want string) {
			t.Helper()
			if err := m.Overdue(at); (err == nil) != (want == "") || err != nil && err.Error() != want {
				t.Errorf("%v, want %q", err, want)
			}
		}
		expect(time.Now().Add(time.Hour), "")
		observeWorking(m)
		expect(time.Now().Add(time.Hour), "")
		m.Observe(context.Background(), overloaded(time.Now()))
		until := m.Current().Verdict.Until
		expect(until.Add(5*time.Second), "")
		expect(until.Add(6*time.Second), "change of the verdict is overdue by 6s")

		stop := runMonitor(m)
		sleepVirtually(time.Until(until))
		expect(until.Add(6*time.Second), "")
		_ = stop()
	})
}
