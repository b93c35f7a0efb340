package collector

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// pauseFor makes a limit act as if this process had not run for the last d.
func (l *runLimit) pauseFor(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = l.last.Add(-d)
}

// TestRunLimit checks that the context ends after exactly the running time, independent of the length of pauses.
func TestRunLimit(t *testing.T) {
	const s = time.Second
	type pause struct{ at, d time.Duration }
	for _, tt := range []struct {
		name   string
		pauses []pause
		ends   time.Duration // after the start, without the pauses
		paused time.Duration
	}{
		{"no pause", nil, 3 * s, 0},
		{"late by what is normal", []pause{{80 * ms, 100 * ms}}, 3*s - 100*ms, 0},
		{"one pause", []pause{{80 * ms, 4 * s}}, 3 * s, 4 * s},
		{"long", []pause{{80 * ms, 24 * time.Hour}}, 3 * s, 24 * time.Hour},
		{"at the end", []pause{{2999 * ms, 4 * s}}, 3 * s, 4 * s},
		{"several", []pause{{80 * ms, 4 * s}, {90 * ms, 200 * ms}, {2 * s, s}}, 3 * s, 5200 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				ctx, l := limitRunTime(t.Context(), 3*s)
				for _, p := range tt.pauses {
					time.Sleep(time.Until(start.Add(p.at)))
					synctest.Wait()
					l.pauseFor(p.d)
				}
				<-ctx.Done()
				if took := time.Since(start); took != tt.ends {
					t.Errorf("ended after %s, want %s", took, tt.ends)
				}
				if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) || l.remaining() > 0 {
					t.Errorf("cause %v, %s left", err, l.remaining())
				}
				if paused := l.stop(); paused != tt.paused {
					t.Errorf("paused for %s, want %s", paused, tt.paused)
				}
			})
		})
	}
}

// TestRunLimitStopped checks that stop includes a pause that has not ended yet, and ends the context.
func TestRunLimitStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, l := limitRunTime(t.Context(), 3*time.Second)
		time.Sleep(10 * ms)
		l.pauseFor(time.Second)
		if paused := l.stop(); paused != 960*ms || ctx.Err() == nil {
			t.Errorf("paused for %s, context: %v", paused, ctx.Err())
		}
		time.Sleep(time.Minute)
		if paused := l.stop(); paused != 960*ms || l.remaining() <= 0 ||
			errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			t.Errorf("afterwards: paused for %s, %s left, %v", paused, l.remaining(), context.Cause(ctx))
		}
	})
}
