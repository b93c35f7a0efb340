package health

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// slack is how late a change of the verdict may be. A busy machine delays the timer.
const slack = 5 * time.Second

// Listener is called with each step and the snapshot after it. Calls come in order, on the goroutine that caused the
// step, with the context of the observation, after the snapshot became current. A Listener must return quickly, because
// the next observation waits for it.
type Listener func(ctx context.Context, step Step, after *Snapshot)

// Monitor owns the Machine. It takes in observations from any goroutine, and publishes a Snapshot after each
// observation and at each deadline of the verdict.
type Monitor struct {
	listeners []Listener
	current   atomic.Pointer[Snapshot]
	replan    chan struct{} // holds a token when Until may have changed

	mu      sync.Mutex
	machine *Machine
}

// NewMonitor returns a Monitor whose current snapshot has no verdict yet. Deadlines take effect only while Run runs.
func NewMonitor(cfg Config, listeners ...Listener) *Monitor {
	m := &Monitor{machine: NewMachine(cfg), listeners: listeners, replan: make(chan struct{}, 1)}
	m.current.Store(m.machine.snapshot())
	return m
}

// Restore makes the Monitor continue from a checkpoint: see Machine.Restore. It must be called before Run and before
// the first observation.
func (m *Monitor) Restore(c Checkpoint, age time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.machine.Restore(c, age, time.Now())
	m.current.Store(m.machine.snapshot())
}

// Current returns the latest snapshot, never nil. It takes no lock.
func (m *Monitor) Current() *Snapshot { return m.current.Load() }

// Observe takes in an observation and publishes the result. When it returns, every reader sees the new snapshot.
func (m *Monitor) Observe(ctx context.Context, o Observation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.step(ctx, func() (Step, bool) { return m.machine.Observe(o), true })
}

// step publishes a step of the machine. If the machine panics, it is as it was before. The caller holds mu.
func (m *Monitor) step(ctx context.Context, next func() (Step, bool)) {
	before, done := *m.machine, false
	defer func() {
		if !done {
			*m.machine = before
		}
	}()
	step, changed := next()
	after := m.machine.snapshot()
	done = true
	if changed {
		m.publish(ctx, step, after)
	}
}

// Overdue returns an error if the verdict should have changed by itself but did not. Then Run or a listener hangs.
func (m *Monitor) Overdue(now time.Time) error {
	until := m.Current().Verdict.Until
	if until.IsZero() || !now.After(until.Add(slack)) {
		return nil
	}
	return fmt.Errorf("change of the verdict is overdue by %s", now.Sub(until).Round(time.Millisecond))
}

// Run publishes a new snapshot at each deadline of the verdict, until ctx ends. It returns nil.
func (m *Monitor) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var deadline <-chan time.Time
		if until := m.Current().Verdict.Until; !until.IsZero() {
			timer.Reset(time.Until(until))
			deadline = timer.C
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.replan:
		case <-deadline:
			m.passDeadlines(ctx)
		}
	}
}

// passDeadlines publishes the deadlines that have passed, unless an observation has already passed them.
func (m *Monitor) passDeadlines(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.step(ctx, func() (Step, bool) { return m.machine.Advance(time.Now()) })
}

// publish replaces the current snapshot and calls the listeners. The caller holds mu.
func (m *Monitor) publish(ctx context.Context, step Step, after *Snapshot) {
	before := m.current.Load()
	m.current.Store(after)
	close(before.superseded)
	if !after.Verdict.Until.Equal(before.Verdict.Until) {
		select {
		case m.replan <- struct{}{}:
		default:
		}
	}
	for _, listen := range m.listeners {
		listen(ctx, step, after)
	}
}
