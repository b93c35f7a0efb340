package collector

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestProgress checks that a service that hangs, rare polls, and polls longer than the interval do not count as a stuck
// loop.
func TestProgress(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { pause(r, time.Hour) }
	for _, tt := range []struct {
		name              string
		interval, timeout time.Duration
		handler           http.HandlerFunc
	}{
		{"rare polls", time.Minute, 3 * time.Second, answerAll},
		{"service that hangs", 5 * time.Second, 3 * time.Second, hang},
		{"service that hangs for longer than the interval", time.Second, time.Minute, hang},
		{"nothing listens", time.Minute, 3 * time.Second, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, r := newVirtual(t, tt.handler), newRig(t)
				r.options.Dial, r.options.Interval, r.options.Timeout = v.dial, tt.interval, tt.timeout
				c, err := NewJicofo(origin, r.options)
				if before := c.Overdue(time.Now().Add(never)); before != nil {
					t.Errorf("before Run: %v", before)
				}
				defer r.run(c, err)()
				for range 3000 { // five minutes
					time.Sleep(100 * ms)
					synctest.Wait()
					if err := c.Overdue(time.Now()); err != nil {
						t.Fatalf("after %s: %v", time.Since(v.start), err)
					}
				}
			})
		})
	}
}

// TestStuckPoll has a poll that never ends, because Observe does not return.
func TestStuckPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, r := newVirtual(t, answerAll), newRig(t)
		r.options.Dial, r.options.Interval, r.options.Timeout = v.dial, time.Minute, 3*time.Second
		observe, release := r.options.Observe, make(chan struct{})
		r.options.Observe = func(ctx context.Context, o health.Observation) {
			if time.Since(v.start) >= time.Minute {
				<-release
			}
			observe(ctx, o)
		}
		c, err := NewProsody(origin, r.options)
		defer r.run(c, err)()
		w := &SelfWatch{Interval: time.Minute, Timeout: 3 * time.Second, Loops: []Collector{c}, Deciding: 1}
		watch, end := context.WithCancel(t.Context())
		defer end()
		go w.Run(watch)
		at := func(since time.Duration, overdue, stalled string) {
			t.Helper()
			time.Sleep(time.Until(v.start.Add(since)))
			synctest.Wait()
			now := time.Now()
			for want, err := range map[string]error{overdue: c.Overdue(now), stalled: w.Stalled(now)} {
				if (err == nil) != (want == "") || err != nil && err.Error() != want {
					t.Errorf("after %s: %v, want %q", since, err, want)
				}
			}
			if w.Stale(now) != (stalled != "") {
				t.Errorf("after %s: stale is %t", since, w.Stale(now))
			}
		}
		at(59*time.Second, "", "")
		at(63500*ms, "", "")
		at(63501*ms, "poll of prosody is overdue by 501ms", "")
		at(183*time.Second, "poll of prosody is overdue by 2m0s", "") // the first poll ended at 0 s
		at(183*time.Second+ms, "poll of prosody is overdue by 2m0.001s", "the last poll of prosody ended 3m3.001s ago")
		at(time.Hour, "poll of prosody is overdue by 58m57s", "the last poll of prosody ended 1h0m0s ago")
		close(release)
		at(time.Hour+ms, "", "")
		at(time.Hour+5*time.Minute, "", "")
	})
}

// TestLatePollIsOverdueUntilItEnds checks that a late poll is overdue until it has a result.
func TestLatePollIsOverdueUntilItEnds(t *testing.T) {
	now := time.Now()
	at := func(since time.Duration) time.Time { return now.Add(since) }
	p := &progress{name: "prosody"}
	overdue := func(since time.Duration, want bool) {
		t.Helper()
		if err := p.Overdue(at(since)); (err != nil) != want {
			t.Errorf("after %s: %v", since, err)
		}
	}
	const s = time.Second
	overdue(time.Hour, false) // before the first poll
	p.end(at(5 * s))
	overdue(5500*ms, false)
	p.begin(at(5500*ms), at(8500*ms)) // at the latest possible time
	overdue(9*s, false)
	overdue(9001*ms, true)
	p.end(at(10 * s))
	overdue(10500*ms, false)
	overdue(10501*ms, true)
	p.begin(at(14*s), at(17*s)) // after a pause of the process
	overdue(14*s, true)
	p.fail() // it is made again
	p.begin(at(15*s), at(18*s))
	overdue(15*s, true)
	p.end(at(20 * s))
	overdue(16*s, false)
}

// TestStuckStatusFile has a read of the status file that never ends.
func TestStuckStatusFile(t *testing.T) {
	r := newRig(t)
	observe, taken, release := r.options.Observe, make(chan struct{}), make(chan struct{})
	r.options.Observe = func(ctx context.Context, o health.Observation) {
		close(taken)
		<-release
		observe(ctx, o)
	}
	path := filepath.Join(t.TempDir(), "shard-status")
	write(t, path, "ready")
	c, err := NewStatusFile(path, r.options)
	r.run(c, err)
	<-taken
	if err := c.Overdue(time.Now()); err != nil {
		t.Errorf("while it is read: %v", err)
	}
	late := time.Now().Add(r.options.Timeout + overdueAfter + ms)
	if err := c.Overdue(late); err == nil || !strings.HasPrefix(err.Error(), "poll of status_file is overdue by ") {
		t.Errorf("long after it was to be read: %v", err)
	}
	if ended := c.times().ended.Load(); ended != nil {
		t.Errorf("the first poll ended at %s", ended)
	}
	close(release)
	testbed.Eventually(t, "the loop to go on", bound, func() bool { return c.Overdue(late) == nil })
	if err := c.Overdue(time.Now().Add(never - time.Second)); err != nil {
		t.Errorf("until the next poll: %v", err)
	}
}
