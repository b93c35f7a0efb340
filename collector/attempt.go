package collector

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// stopwatch times one attempt. net/http may call its hooks from several goroutines, and some even after the end.
type stopwatch struct {
	mu      sync.Mutex
	attempt health.Attempt
	ended   bool
}

// startAttempt returns a stopwatch, and a context in which net/http keeps it.
func startAttempt(ctx context.Context) (context.Context, *stopwatch) {
	w := &stopwatch{attempt: health.Attempt{Start: time.Now().UTC()}}
	start := time.Now()
	mark := func(into func(a *health.Attempt) *float64) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.ended {
			*into(&w.attempt) = time.Since(start).Seconds()
		}
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.attempt.Reused = info.Reused
		},
		DNSDone:              func(httptrace.DNSDoneInfo) { mark(func(a *health.Attempt) *float64 { return &a.DNSDone }) },
		ConnectDone:          func(string, string, error) { mark(func(a *health.Attempt) *float64 { return &a.ConnectDone }) },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { mark(func(a *health.Attempt) *float64 { return &a.TLSDone }) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { mark(func(a *health.Attempt) *float64 { return &a.RequestSent }) },
		GotFirstResponseByte: func() { mark(func(a *health.Attempt) *float64 { return &a.FirstByte }) },
	}), w
}

// stop ends the attempt and returns what was measured.
func (w *stopwatch) stop(code int, err error) health.Attempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.attempt.Done = time.Since(w.attempt.Start).Seconds()
	w.attempt.Code = code
	if err != nil {
		w.attempt.Error = describe(err)
	}
	return w.attempt
}
