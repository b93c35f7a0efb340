package collector

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/health"
)

// fakeLoop is a loop whose latest poll ended at a time.
type fakeLoop struct{ progress }

func (*fakeLoop) Run(context.Context) error { return nil }

func (f *fakeLoop) ended(at time.Time, result bool) {
	f.progress.ended.Store(&at)
	if result {
		f.result.Store(&at)
	}
}

// TestSelfWatchAndPauses checks that the loops have the full time again after a pause of this process, because they may
// be late for that reason alone; the verdict is out of date all the same.
func TestSelfWatchAndPauses(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := func(since time.Duration) time.Time { return start.Add(since) }
	jicofo, census := &fakeLoop{progress{name: "jicofo"}}, &fakeLoop{progress{name: "census"}}
	var other error
	w := &SelfWatch{
		Interval: 5 * time.Second, Timeout: 3 * time.Second, // 18 s
		Loops: []Collector{jicofo, census}, Deciding: 1,
		Others: []func(time.Time) error{func(time.Time) error { return other }},
	}
	run := func(from, to time.Duration) {
		for since := from; since <= to; since += w.beatInterval() {
			w.ran(at(since))
		}
	}
	want := func(since time.Duration, stalled string, stale bool) {
		t.Helper()
		err := w.Stalled(at(since))
		if got := errors.Join(err); stalled == "" && got != nil || stalled != "" && (got == nil || got.Error() != stalled) {
			t.Errorf("after %s: %v, want %q", since, err, stalled)
		}
		if got := w.Stale(at(since)); got != stale {
			t.Errorf("after %s: stale is %t", since, got)
		}
	}
	const s = time.Second
	want(0, "", false)
	run(0, 18*s)
	want(18*s, "", false) // no poll has ended yet
	want(18*s+ms, "the first poll of jicofo has not ended", true)
	jicofo.ended(at(18*s), true)
	census.ended(at(18*s), true)
	run(18*s, 36*s)
	want(36*s, "", false)

	want(96*s, "", true) // the process was stopped for a minute
	run(96*s, 114*s)
	want(114*s, "", true)
	want(114*s+ms, "the last poll of jicofo ended 1m36.001s ago", true)
	jicofo.ended(at(114*s), true)
	want(114*s+ms, "the last poll of census ended 1m36.001s ago", true)
	census.ended(at(114*s), false) // a poll without a result is progress too
	want(114*s+ms, "", false)
	other = errors.New("change of the verdict is overdue by 6s")
	want(114*s+ms, "change of the verdict is overdue by 6s", true)
	other = nil

	run(114*s, 140*s)
	jicofo.ended(at(140*s), false) // polls end, but none of them has a result
	census.ended(at(140*s), false)
	want(140*s, "", true)
}

// TestPanicInPoll checks that a poll that panics has no result, that it is logged and made again at the next time, and
// that the loop is overdue until then.
func TestPanicInPoll(t *testing.T) {
	t.Parallel()
	for name, collector := range map[string]func(Options) (Collector, error){
		"jicofo":  func(o Options) (Collector, error) { return NewJicofo(origin, o) },
		"prosody": func(o Options) (Collector, error) { return NewProsody(origin, o) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v, r := newVirtual(t, answerAll), newRig(t)
				var err error
				if r.options.Guard, err = guard.New(noop.NewMeterProvider(), r.options.Logger); err != nil {
					t.Fatal(err)
				}
				var broken atomic.Bool
				r.options.Dial, r.options.Interval, r.options.Timeout = v.dial, 10*time.Second, 3*time.Second
				c, err := collector(r.options)
				look := c.(*poller).look
				c.(*poller).look = func(ctx context.Context) health.Observation {
					if broken.Load() {
						guard.Together(func() { panic("broken probe") }, func() {})
					}
					return look(ctx)
				}
				defer r.run(c, err)()
				r.next()
				broken.Store(true)
				time.Sleep(10*time.Second + 600*ms)
				synctest.Wait()
				r.quiet()
				want := "part=poll name=" + name + ` panic="broken probe"`
				if log := strings.Join(r.log.Lines(), "\n"); strings.Count(log, want) != 1 {
					t.Errorf("the log: %s", log)
				}
				if err := c.Overdue(time.Now().Add(3 * time.Second)); err == nil {
					t.Error("the collector is not overdue")
				}
				broken.Store(false)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				r.next()
				if err := c.Overdue(time.Now()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
