package collector

import (
	"context"
	"net"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const ms = time.Millisecond

// reset closes the connection after a time, without a reply.
func reset(after time.Duration) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		pause(r, after)
		panic(http.ErrAbortHandler)
	}
}

// TestRetryDelays checks for several transport errors that the delays of the retries are 0, 20, 40, 80 … ms.
func TestRetryDelays(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{"refused": nil, "reset": reset(0)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, r := newVirtual(t, handler), newRig(t)
				r.options.Dial, r.options.Retries = v.dial, 5
				r.run(NewProsody(origin, r.options))
				r.next()
				want := []time.Duration{0, 0, 20 * ms, 60 * ms, 140 * ms, 300 * ms}
				if got := v.dialed(); !slices.Equal(got, want) {
					t.Errorf("tried at %v, want %v", got, want)
				}
			})
		})
	}
}

// TestTimeoutBoundsRetries checks that a probe ends in the middle of an attempt when its time is over.
func TestTimeoutBoundsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, r := newVirtual(t, reset(time.Second)), newRig(t)
		r.options.Dial, r.options.Retries, r.options.Timeout = v.dial, 1000, 3*time.Second
		r.run(NewProsody(origin, r.options))
		got := r.next()
		if took := got.At.Sub(v.start); took != 3*time.Second || got.Prosody.Health.Failure != health.FailureTimeout {
			t.Errorf("%+v after %s, want a timeout after 3s", got.Prosody.Health, took)
		}
		if want := []time.Duration{0, 1000 * ms, 2020 * ms}; !slices.Equal(v.dialed(), want) {
			t.Errorf("tried at %v, want %v", v.dialed(), want)
		}
	})
}

// TestTimeoutOfOneTry checks that a single attempt ends exactly at the timeout, and that a timeout is not retried.
func TestTimeoutOfOneTry(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no body": func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, r := newVirtual(t, handler), newRig(t)
				r.options.Dial, r.options.Timeout = v.dial, 3*time.Second
				r.run(NewProsody(origin, r.options))
				got := r.next()
				if took := got.At.Sub(v.start); took != 3*time.Second || !got.Prosody.SoftDown() {
					t.Errorf("%+v after %s, want a timeout after 3s", got.Prosody.Health, took)
				}
				if n := len(v.dialed()); n != 1 {
					t.Errorf("a timeout was tried again: %d tries", n)
				}
			})
		})
	}
}

// TestRefusedStaysRefused checks that refused connections are not reported as a timeout, for any number of retries, and
// even if the time ends at the moment of a retry.
func TestRefusedStaysRefused(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{3 * time.Second, 141 * ms, 140 * ms, 139 * ms, 20 * ms, 1} {
		for range 20 {
			synctest.Test(t, func(t *testing.T) {
				v, r := newVirtual(t, nil), newRig(t)
				r.options.Dial, r.options.Retries, r.options.Timeout = v.dial, 1000, timeout
				r.run(NewProsody(origin, r.options))
				got := r.next()
				if a := got.Prosody.Health; a.Failure != health.FailureRefused {
					t.Errorf("PROBE_TIMEOUT=%s: %+v, want %q", timeout, a, health.FailureRefused)
				}
				if took := got.At.Sub(v.start); took > timeout {
					t.Errorf("PROBE_TIMEOUT=%s: took %s", timeout, took)
				}
			})
		}
	}
}

// TestRetryReachesRecoveredService checks that a retry succeeds if the service has started again since the attempt
// before.
func TestRetryReachesRecoveredService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int64
		v, r := newVirtual(t, func(http.ResponseWriter, *http.Request) {
			if tries.Add(1) < 4 {
				panic(http.ErrAbortHandler)
			}
		}), newRig(t)
		r.options.Dial, r.options.Retries = v.dial, 3
		r.run(NewProsody(origin, r.options))
		if got := r.next(); !got.Prosody.Healthy() || got.At.Sub(v.start) != 60*ms {
			t.Errorf("%+v after %s, want 200 after 60ms", got.Prosody.Health, got.At.Sub(v.start))
		}
		if r.log.String() != "" {
			t.Errorf("a probe that a retry saved was logged:\n%s", r.log)
		}
	})
}

// TestTimeoutOfTheNetwork checks that it is not retried either, although time is left.
func TestTimeoutOfTheNetwork(t *testing.T) {
	r := newRig(t)
	var tries atomic.Int64
	r.options.Dial = func(context.Context, string, string) (net.Conn, error) {
		tries.Add(1)
		return nil, os.NewSyscallError("connect", syscall.ETIMEDOUT)
	}
	r.run(NewProsody(origin, r.options))
	if got := r.next().Prosody.Health; got.Failure != health.FailureTimeout || tries.Load() != 1 {
		t.Errorf("%+v after %d tries", got, tries.Load())
	}
}
