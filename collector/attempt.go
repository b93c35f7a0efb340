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

	mu      sync.Mutex
	attempt health.Attempt
	ended   bool
	phase   phase
	replies int // with a code 1xx
}

// phase is what an attempt waits for.
type phase int

// The phases of a request, in their order. A redirect begins with the first again.
const (
	phaseConnect   phase = iota
	phaseResolve         // within phaseConnect
	phaseHandshake       // of TLS
	phaseReply
	phaseBody
)

// startAttempt returns a stopwatch, and a context that makes net/http report each step of the attempt to it.
func startAttempt(ctx context.Context) (context.Context, *stopwatch) {
	w := &stopwatch{start: time.Now()}
	a := &w.attempt
	a.Start = w.start.UTC().Round(0).Truncate(time.Microsecond) // as the durations
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { w.enter(phaseConnect, phaseBody) },
		GotConn: func(info httptrace.GotConnInfo) {
			w.enter(phaseReply, phaseHandshake)
			w.mu.Lock()
			defer w.mu.Unlock()
			a.Reused = info.Reused
		},
		DNSStart: func(httptrace.DNSStartInfo) { w.enter(phaseResolve, phaseConnect) },
		DNSDone: func(info httptrace.DNSDoneInfo) {
			if info.Err == nil {
				w.leave(phaseResolve, phaseConnect)
			}
			w.mark(&a.DNSDone)
		},
		TLSHandshakeStart: func() { w.enter(phaseHandshake, phaseConnect) },
		// With a hook net/http does not bound the number of these replies, and otelhttptrace sets one.
		Got1xxResponse:   func(int, textproto.MIMEHeader) error { return w.informational() },
		ConnectDone:      func(string, string, error) { w.mark(&a.ConnectDone) },
		TLSHandshakeDone: func(tls.ConnectionState, error) { w.mark(&a.TLSDone) },
		WroteRequest:     func(httptrace.WroteRequestInfo) { w.mark(&a.RequestSent) },
		GotFirstResponseByte: func() {
			w.enter(phaseBody, phaseReply)
			w.mark(&a.FirstByte)
		},
	}), w
}

// enter begins a phase, unless the attempt is in a phase after the last one given. net/http may still open a connection
// when the attempt uses another one.
func (w *stopwatch) enter(next, last phase) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended && w.phase <= last {
		w.phase = next
	}
}

// leave ends a phase, if the attempt is in it.
func (w *stopwatch) leave(current, next phase) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended && w.phase == current {
		w.phase = next
	}
}

// lastPhase returns the phase in which the attempt ended.
func (w *stopwatch) lastPhase() phase {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.phase
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
