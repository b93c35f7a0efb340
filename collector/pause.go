package collector

import (
	"context"
	"sync"
	"time"
)

const (
	// beat is the interval of the timer that shows whether this process runs.
	beat = 50 * time.Millisecond
	// maxLate is by how much that timer may be late. Beyond it this process did not run: it was stopped or frozen, or got
	// no CPU.
	maxLate = 100 * time.Millisecond
)

// runLimit ends a context when this process has run for a certain time. Time during which it did not run does not count:
// an answer may have come then, and could not be read.
type runLimit struct {
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	timer   *time.Timer
	last    time.Time     // up to when the time is accounted for
	left    time.Duration // of the running time
	paused  time.Duration // for how long the process did not run
	stopped bool
}

// limitRunTime returns a context that ends, with the cause context.DeadlineExceeded, when this process has run for d.
// The caller calls stop.
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

// account accounts for the time since it was last called.
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

// remaining returns the running time that is left.
func (l *runLimit) remaining() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		l.account()
	}
	return l.left
}

// pauses returns for how long this process did not run so far.
func (l *runLimit) pauses() time.Duration {
	_ = l.remaining()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.paused
}

// stop ends the context, and returns for how long the process did not run until then.
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
