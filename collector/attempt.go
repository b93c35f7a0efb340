package collector

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// stopwatch times one attempt. net/http may call its hooks from several goroutines, and some of them after the attempt
// has ended.
type stopwatch struct {
	start time.Time // with a monotonic reading: the wall clock may be set in between

	mu        sync.Mutex
	attempt   health.Attempt
	ended     bool
	resolving bool // the name resolution has not succeeded
	replies   int  // with a code 1xx
}

// startAttempt returns a stopwatch, and a context that makes net/http report each step of the attempt to it.
func startAttempt(ctx context.Context) (context.Context, *stopwatch) {
	w := &stopwatch{start: time.Now()}
	a := &w.attempt
	a.Start = w.start.UTC().Round(0)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			w.mu.Lock()
			defer w.mu.Unlock()
			a.Reused = info.Reused
		},
		DNSStart: func(httptrace.DNSStartInfo) { w.lookup(true) },
		DNSDone: func(info httptrace.DNSDoneInfo) {
			w.lookup(info.Err != nil)
			w.mark(&a.DNSDone)
		},
		// With a hook net/http does not bound the number of these replies, and otelhttptrace sets one.
		Got1xxResponse:       func(int, textproto.MIMEHeader) error { return w.informational() },
		ConnectDone:          func(string, string, error) { w.mark(&a.ConnectDone) },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { w.mark(&a.TLSDone) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { w.mark(&a.RequestSent) },
		GotFirstResponseByte: func() { w.mark(&a.FirstByte) },
	}), w
}

// lookup records whether the name resolution is still to succeed.
func (w *stopwatch) lookup(pending bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.resolving = pending
	}
}

// isResolving reports whether the attempt ended before the name resolution succeeded.
func (w *stopwatch) isResolving() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.resolving
}

// informational counts a reply with a code 1xx. It returns an error if there are too many.
func (w *stopwatch) informational() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.replies++; w.replies > maxInformational {
		return errInformational
	}
	return nil
}

// mark records the time of a step. It does nothing after stop.
func (w *stopwatch) mark(step *float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		*step = seconds(time.Since(w.start))
	}
}

// stop ends the attempt and returns its measurements.
func (w *stopwatch) stop(code int, err error) health.Attempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.attempt.Done = seconds(time.Since(w.start))
	w.attempt.Code = code
	if err != nil {
		w.attempt.Error = describe(err)
	}
	return w.attempt
}

// seconds returns a duration in seconds, to the microsecond. Duration.Seconds can differ from the nearest number, which
// then prints as 2.6709680000000002.
func seconds(d time.Duration) float64 { return float64(d.Round(time.Microsecond).Microseconds()) / 1e6 }
