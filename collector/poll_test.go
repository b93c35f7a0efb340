package collector

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPollTimes checks that polls start an interval apart, and that one follows a longer poll at once.
func TestPollTimes(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name   string
		take   []time.Duration // how long the service takes for each reply; the last is for all that follow
		starts []time.Duration
	}{
		{"fast", []time.Duration{0}, []time.Duration{0, 5 * s, 10 * s, 15 * s}},
		{"slower than nothing", []time.Duration{4 * s, 1 * s, 3 * s}, []time.Duration{0, 5 * s, 10 * s, 15 * s}},
		{"as long as the interval", []time.Duration{5 * s}, []time.Duration{0, 5 * s, 10 * s, 15 * s}},
		{"longer", []time.Duration{7 * s}, []time.Duration{0, 7 * s, 14 * s, 21 * s}},
		{"longer once", []time.Duration{7 * s, 0}, []time.Duration{0, 7 * s, 12 * s, 17 * s}},
		{"much longer once: no burst to catch up", []time.Duration{18 * s, 0}, []time.Duration{0, 18 * s, 23 * s, 28 * s}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				starts := make(chan time.Duration, 100)
				var polls, busy atomic.Int64
				began := time.Now()
				v, r := newVirtual(t, func(_ http.ResponseWriter, r *http.Request) {
					if busy.Add(1) > 1 {
						t.Error("two polls at a time")
					}
					defer busy.Add(-1)
					starts <- time.Since(began)
					pause(r, tt.take[min(int(polls.Add(1)), len(tt.take))-1])
				}), newRig(t)
				r.options.Dial, r.options.Interval, r.options.Timeout = v.dial, 5*s, time.Minute
				stop := r.run(NewProsody(origin, r.options))
				defer stop()
				for i, start := range tt.starts {
					got := r.next()
					want := start + tt.take[min(i+1, len(tt.take))-1]
					if at := got.At.Sub(began); at != want || !got.Prosody.Healthy() {
						t.Errorf("observation %d: %+v after %s, want 200 after %s", i+1, got.Prosody.Health, at, want)
					}
					if at := <-starts; at != start {
						t.Errorf("poll %d started after %s, want %s", i+1, at, start)
					}
				}
			})
		})
	}
}

// TestPollEndsWithContext checks that a collector stops at once in the middle of a probe, without an observation: an
// interrupted probe has no information about the node.
func TestPollEndsWithContext(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	collectors := map[string]func(Options) (Collector, error){
		"jicofo":  func(o Options) (Collector, error) { return NewJicofo(origin, o) },
		"prosody": func(o Options) (Collector, error) { return NewProsody(origin, o) },
		"census":  func(o Options) (Collector, error) { return NewCensus(origin, "", o) },
	}
	situations := map[string]struct {
		handler http.HandlerFunc
		after   time.Duration
	}{
		"while a service hangs":   {hang, time.Second},
		"between two tries":       {nil, 100 * ms}, // within the delay of 80 ms that began at 60 ms
		"in the middle of a body": {drip, time.Second},
		"before anything":         {hang, 0},
	}
	for name, newCollector := range collectors {
		for situation, tt := range situations {
			t.Run(name+" "+situation, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					v, r := newVirtual(t, tt.handler), newRig(t)
					r.options.Dial, r.options.Timeout, r.options.Retries = v.dial, time.Hour, 10
					stop := r.run(newCollector(r.options))
					time.Sleep(tt.after) // virtual
					before := time.Now()
					stop()
					if took := time.Since(before); took != 0 {
						t.Errorf("Run ended %s after its context", took)
					}
					r.quiet()
					if r.log.String() != "" {
						t.Errorf("logged:\n%s", r.log)
					}
					for _, m := range r.instruments() {
						for set, value := range r.measured(m.Name) {
							if value != 0 {
								t.Errorf("measured: %s{%s} %v", m.Name, set, value)
							}
						}
					}
					for _, span := range r.spans.Ended() {
						for _, a := range span.Attributes() {
							if a.Key == "signal.outcome" {
								t.Errorf("span %q has the outcome %q of a probe that had none", span.Name(), a.Value.AsString())
							}
						}
					}
				})
			})
		}
	}
}

// drip sends a byte every 50 ms.
func drip(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		_, _ = w.Write([]byte(" "))
		_ = http.NewResponseController(w).Flush()
		pause(r, 50*ms)
	}
}
