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

// TestProgress: a service that hangs, polls that are rare, and polls that take longer than the interval are no stuck loop.
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
		{"nobody listens", time.Minute, 3 * time.Second, nil},
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

// TestStuckPoll has a poll that never ends, since what it saw is not taken.
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
		at := func(since time.Duration, want string) {
			t.Helper()
			time.Sleep(time.Until(v.start.Add(since)))
			synctest.Wait()
			if err := c.Overdue(time.Now()); (err == nil) != (want == "") || err != nil && err.Error() != want {
				t.Errorf("after %s: %v, want %q", since, err, want)
			}
		}
		at(59*time.Second, "")
		at(68*time.Second, "")
		at(68*time.Second+ms, "poll of prosody is overdue by 5.001s")
		at(time.Hour, "poll of prosody is overdue by 58m57s")
		close(release)
		at(time.Hour+ms, "")
		at(time.Hour+5*time.Minute, "")
	})
}

// TestStuckStatusFile has a reading of the status file that never ends.
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
	late := time.Now().Add(slack + ms)
	if err := c.Overdue(late); err == nil || !strings.HasPrefix(err.Error(), "poll of status_file is overdue by 5.") {
		t.Errorf("long after it was to be read: %v", err)
	}
	close(release)
	testbed.Eventually(t, "the loop to go on", bound, func() bool { return c.Overdue(late) == nil })
	if err := c.Overdue(time.Now().Add(never)); err != nil {
		t.Errorf("until the next poll: %v", err)
	}
}
