package collector

import (
	"context"
	"sync"
	"time"
)

const (
	// beat is the interval of the timer that detects whether this process runs.
	beat = 50 * time.Millisecond
	// maxLate is the longest accepted delay of that timer. If it is later, this process did not run: it was stopped or
	// frozen, or got no CPU.
	maxLate = 100 * time.Millisecond
)

// runLimit ends a context when this process has run for a certain time. Time during which it did not run does not
// count: a reply may have arrived that it could not read.
type runLimit struct {
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	timer   *time.Timer
	last    time.Time     // the time of the latest accounting
	left    time.Duration // remaining running time
	paused  time.Duration // how long the process did not run
	stopped bool
}

// limitRunTime returns a context that ends, with the cause context.DeadlineExceeded, when this process has run for d.
// The caller must call stop.
func limitRunTime(ctx context.Context, d time.Duration) (context.Context, *runLimit) {
	ctx, cancel := context.WithCancelCause(ctx)
	l := &runLimit{cancel: cancel, last: time.Now(), left: d}
	l.mu.Lock() // the timer may fire before it is stored
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(min(beat, d), l.beat)
	return ctx, l
}

func (l *runLimit) beat() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return
	}
	l.account()
	if l.left <= 0 {
		l.cancel(context.DeadlineExceeded)
		return
	}
	l.timer.Reset(min(beat, l.left))
}

// account adds the time since the latest call to the running time or the paused time. The caller holds mu.
func (l *runLimit) account() {
	now := time.Now()
	ran, expected := now.Sub(l.last), max(0, min(beat, l.left))
	if ran > expected+maxLate {
		l.paused += ran - expected
		ran = expected
	}
	l.left -= ran
	l.last = now
}

// remaining returns the remaining running time.
func (l *runLimit) remaining() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		l.account()
	}
	return l.left
}

// pauses returns how long this process has not run so far.
func (l *runLimit) pauses() time.Duration {
	_ = l.remaining()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.paused
}

// stop ends the context and returns how long the process did not run before.
func (l *runLimit) stop() (paused time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		l.account()
		l.stopped = true
		l.timer.Stop()
		l.cancel(nil)
	}
	return l.paused
}
