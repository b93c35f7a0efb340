package collector

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// minSelfWatchBeat is the shortest time between two beats.
	minSelfWatchBeat = 500 * time.Millisecond
	// maxLateBeat is the longest accepted delay of a beat. If it is later, this process did not run: it was stopped or
	// frozen, or got no CPU.
	maxLateBeat = time.Second
)

// SelfWatch reports whether this process makes progress, for /health and the watchdog of systemd. After a pause of the
// whole process all loops are late for a moment; they then have the full time again.
type SelfWatch struct {
	// Interval is the time between the starts of two polls, Timeout the longest time of a poll.
	Interval, Timeout time.Duration
	// Loops are all collectors. The verdict depends on the first Deciding of them.
	Loops    []Collector
	Deciding int
	// Others report what else does not make progress at a time.
	Others []func(now time.Time) error

	mu      sync.Mutex
	beat    time.Time // the latest time at which this process was seen running
	running time.Time // since when it has run without a pause
}

// Run notices pauses of this process until ctx ends. It returns nil. Until it runs, nothing is stalled.
func (w *SelfWatch) Run(ctx context.Context) error {
	tick := time.NewTicker(w.beatInterval())
	defer tick.Stop()
	for {
		w.ran(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// beatInterval is the time between two beats: a poll, as the loops have 3 polls' time, and more beats would only keep
// the CPU awake.
func (w *SelfWatch) beatInterval() time.Duration { return max(minSelfWatchBeat, w.Interval) }

// ran returns how long this process has run without a pause.
func (w *SelfWatch) ran(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.beat.IsZero() || now.Sub(w.beat) > w.beatInterval()+maxLateBeat {
		w.running = now
	}
	w.beat = now
	return now.Sub(w.running)
}

// allowance is how long ago the last poll of a loop may have ended.
func (w *SelfWatch) allowance() time.Duration { return 3*w.Interval + w.Timeout }

// Stalled returns an error that names a loop whose last poll, with or without a result, ended too long ago, or another
// part that is stuck.
func (w *SelfWatch) Stalled(now time.Time) error {
	if w.ran(now) <= w.allowance() {
		return nil
	}
	for _, loop := range w.Loops {
		p := loop.times()
		ended := p.ended.Load()
		if ended == nil {
			return fmt.Errorf("the first poll of %s has not ended", p.name)
		}
		if age := now.Sub(*ended); age > w.allowance() {
			return fmt.Errorf("the last poll of %s ended %s ago", p.name, age.Round(time.Millisecond))
		}
	}
	for _, other := range w.Others {
		if err := other(now); err != nil {
			return err
		}
	}
	return nil
}

// Stale reports whether the verdict is too old to be served: a loop is stalled, or the latest result of one that the
// verdict depends on came too long ago, a pause of this process included. Without any result there is no verdict.
func (w *SelfWatch) Stale(now time.Time) bool {
	for _, loop := range w.Loops[:w.Deciding] {
		if result := loop.times().result.Load(); result != nil && now.Sub(*result) > w.allowance() {
			return true
		}
	}
	return w.Stalled(now) != nil
}
