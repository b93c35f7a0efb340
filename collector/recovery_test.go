package collector

import (
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestRecoveryTimes checks that polls are more frequent while the service is unhealthy, and never less frequent.
func TestRecoveryTimes(t *testing.T) {
	const s = time.Second
	answer := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	overloaded := answer(503, "")
	everySecond := []string{"0s tick", "5s tick", "10s tick", "11s recovery", "12s recovery", "13s recovery", "18s tick"}
	fiveSeconds := []string{"0s tick", "5s tick", "10s tick", "15s tick", "20s tick"}
	tests := []struct {
		name      string
		collector string
		recovery  time.Duration
		ill       http.HandlerFunc // from 6 s to 12.5 s
		want      []string
	}{
		{"prosody", "prosody", s, overloaded, everySecond},
		{"jicofo", "jicofo", s, overloaded, everySecond},
		{"statistics that cannot be used", "jicofo", s, answer(200, "{}"), everySecond},
		{"fractions", "prosody", 1500 * ms, overloaded,
			[]string{"0s tick", "5s tick", "10s tick", "11.5s recovery", "13s recovery", "18s tick"}},
		{"no answer", "prosody", s, func(_ http.ResponseWriter, r *http.Request) { pause(r, time.Hour) },
			// It hangs at 10 s and at 12 s; the poll at 14 s gets a reply.
			[]string{"0s tick", "5s tick", "12s tick", "14s recovery", "14s recovery", "19s tick"}},
		{"the census is not in a hurry", "census", s, overloaded, fiveSeconds},
		{"as long as the interval", "prosody", 5 * s, overloaded, fiveSeconds},
		{"longer than the interval", "prosody", time.Hour, overloaded, fiveSeconds},
		{"none", "prosody", 0, overloaded, fiveSeconds},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				v, r := newVirtual(t, func(w http.ResponseWriter, r *http.Request) {
					if now := time.Since(began); now > 6*s && now < 12500*ms {
						tt.ill(w, r)
						return
					}
					answerAll(w, r)
				}), newRig(t)
				r.options.Dial, r.options.Interval, r.options.Recovery, r.options.Timeout = v.dial, 5*s, tt.recovery, 2*s
				defer r.run(httpCollectors[tt.collector].open(origin, r.options))()
				expectTimes(t, r.times(v.start, 22*s), tt.want...)
			})
		})
	}
}

// TestToleranceTimes checks that there is a poll every 100 ms while the failure is tolerated.
func TestToleranceTimes(t *testing.T) {
	const s = time.Second
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		v, r := newVirtual(t, func(w http.ResponseWriter, r *http.Request) {
			if now := time.Since(began); now > 6*s && now < 12500*ms {
				w.WriteHeader(503)
				return
			}
			answerAll(w, r)
		}), newRig(t)
		r.options.Dial, r.options.Interval, r.options.Recovery = v.dial, 5*s, s
		r.options.Tolerates = func(service string) bool { return service == "prosody" && time.Since(began) < 10300*ms }
		defer r.run(NewProsody(origin, r.options))()
		expectTimes(t, r.times(v.start, 22*s), "0s tick", "5s tick", "10s tick", "10.1s recovery", "10.2s recovery",
			"10.3s recovery",
			"11.3s recovery", "12.3s recovery", "13.3s recovery", "18.3s tick")
	})
}

// TestRecoveryOfStatusFile checks that the status file, which is watched, has no recovery interval.
func TestRecoveryOfStatusFile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.options.Recovery = ms
	r.run(NewStatusFile(filepath.Join(t.TempDir(), "missing"), r.options))
	r.next()
	other := newRig(t)
	other.options.Interval = 10 * ms
	other.run(NewStatusFile(filepath.Join(t.TempDir(), "missing"), other.options))
	for range 10 {
		other.next()
	}
	r.quiet()
}
