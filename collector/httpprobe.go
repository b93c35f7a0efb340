package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/contrib/instrumentation/net/http/httptrace/otelhttptrace"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	maxRedirects     = 5
	maxInformational = 5 // replies with a code 1xx before the final one, as in net/http
	maxHeaderBytes   = 64 << 10
	excerpt          = 256 // bytes of the reply to a failed probe that are kept
)

var (
	errBodySize      = errors.New("the body is larger than this probe reads")
	errRedirects     = fmt.Errorf("more than %d redirects", maxRedirects)
	errInformational = fmt.Errorf("more than %d informational replies (1xx)", maxInformational)
	errRedirected    = errors.New("redirected to another host")
)

// httpProbe sends GET requests to one URL. It has its own connections, so that problems of other probes cannot affect
// it.
type httpProbe struct {
	record  *recorder
	url     string
	host    string // Host header, if it differs from the URL's
	limit   int64  // bytes of the body that are read at most
	timeout time.Duration
	retries int
	client  *http.Client
	agent   string // User-Agent header, "" for net/http's own

	connections *connections

	expected int64 // estimated size of the next body in bytes, from the latest one
}

func newHTTPProbe(name health.Probe, address string, limit int64, o Options, in instruments, h hangups) *httpProbe {
	c := newConnections(o, h)
	return &httpProbe{
		record: newRecorder(name, in, o.Logger),
		url:    address, limit: limit, timeout: o.Timeout, retries: o.Retries, agent: o.UserAgent,
		connections: c,
		client: &http.Client{
			CheckRedirect: checkRedirect,
			// A span for each attempt. otelhttp's own metrics would repeat ours, with labels that are not bounded.
			Transport: otelhttp.NewTransport(c,
				otelhttp.WithTracerProvider(o.TracerProvider),
				otelhttp.WithMeterProvider(noop.MeterProvider{}),
				otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method }),
				otelhttp.WithClientTrace(traceConnection),
				otelhttp.WithPropagators(propagation.TraceContext{})),
		},
	}
}

// checkRedirect follows a redirect to the same host and port, or to https on the same host. It refuses others: the
// reply of another host has no information about this node.
func checkRedirect(req *http.Request, via []*http.Request) error {
	from, to := via[0].URL, req.URL
	sameHost := strings.EqualFold(from.Hostname(), to.Hostname())
	switch {
	case !sameHost, to.Scheme != "https" && (to.Scheme != "http" || errtext.Port(from) != errtext.Port(to)):
		return fmt.Errorf("%w: %+.100q", errRedirected, to.Scheme+"://"+to.Host)
	case len(via) > maxRedirects:
		return errRedirects
	default:
		return nil
	}
}

// reply is a complete HTTP reply.
type reply struct {
	code    int
	body    []byte
	invalid error  // the error of use
	address string // host:port of the last request, after redirects
}

// traceConnection adds an event to the span of an attempt for each step of its connection.
func traceConnection(ctx context.Context) *httptrace.ClientTrace {
	return otelhttptrace.NewClientTrace(ctx, otelhttptrace.WithoutSubSpans(), otelhttptrace.WithoutHeaders())
}

// run probes once, with retries. The caller must then publish or abandon the record of the probe. If the status is 200,
// use is called with the complete body; its error makes the probe fail as invalid_body and is returned. The body of
// every complete reply is returned.
func (p *httpProbe) run(ctx context.Context, use func([]byte) error) (a health.Answer, body []byte, invalid error) {
	start := time.Now()
	ctx = p.record.begin(ctx, start)
	p.connections.renew()
	r := p.try(ctx, use)
	if r.interrupted && ctx.Err() == nil {
		// The attempt has no result: the timeout or the connection may have ended because this process did not run.
		p.connections.close()
		first := r
		r = p.try(ctx, use)
		r.attempts, r.paused = append(first.attempts, r.attempts...), first.paused+r.paused
	}
	if r.err != nil {
		a = health.Answer{Failure: classify(r.err), Detail: p.detail(r), Error: describe(r.err)}
	} else {
		a = health.Answer{Code: r.code}
	}
	if r.invalid != nil {
		a.Error = describe(r.invalid)
	}
	took := time.Since(start) - r.paused
	a.Took = seconds(took)
	if !a.OK() || r.invalid != nil {
		a.Exchange = &health.Exchange{
			URL: withoutUser(p.url), Host: p.host, TraceID: traceID(ctx), Attempts: r.attempts,
			Body: text(r.body[:min(len(r.body), excerpt)]),
		}
	}
	p.record.end(time.Now(), len(r.attempts), r.paused)
	if !a.Reachable() {
		return a, nil, nil
	}
	return a, r.body, r.invalid
}

// trial is the outcome of a request and its retries. If err is not nil, reply holds what was received before it.
type trial struct {
	reply
	attempts []health.Attempt
	err      error
	// phase is the phase in which the last attempt ended.
	phase  phase
	paused time.Duration // for how long this process did not run
	// interrupted: this process did not run during the last attempt, which ended by a timeout or a closed connection.
	interrupted bool
}

// try sends the request until there is an HTTP reply, or no time or no retry is left. It retries only after transport
// errors, each time on a new connection.
func (p *httpProbe) try(ctx context.Context, use func([]byte) error) (r trial) {
	ctx, limit := limitRunTime(p.connections.trace(ctx), p.timeout)
	defer func() { r.paused = limit.stop() }()
	_, _ = backoff.Retry(ctx, func() (struct{}, error) {
		if len(r.attempts) > 0 {
			if limit.remaining() <= 0 {
				// The time ended during the delay. The result of the latest attempt is still valid.
				return struct{}{}, backoff.Permanent(r.err)
			}
			p.connections.close()
		}
		before := limit.pauses()
		timed, watch := startAttempt(ctx)
		r.reply, r.err = p.attempt(timed, use)
		if errors.Is(r.err, context.Canceled) && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			r.err = context.DeadlineExceeded
		}
		r.attempts, r.phase = append(r.attempts, watch.stop(r.code, r.err)), watch.lastPhase()
		failure := classify(r.err)
		r.interrupted = limit.pauses() > before && (failure == health.FailureTimeout || failure == health.FailureReset)
		if r.err != nil && !retryable(r.err) {
			return struct{}{}, backoff.Permanent(r.err)
		}
		return struct{}{}, r.err
	},
		backoff.WithMaxTries(uint(p.retries)+1),
		backoff.WithMaxElapsedTime(0), // limit bounds the time
		backoff.WithBackOff(&retryDelay{limit: limit}))
	return r
}

// attempt sends the request once and reads the whole reply. With an error, reply holds what was received before it.
func (p *httpProbe) attempt(ctx context.Context, use func([]byte) error) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return reply{}, err
	}
	hideUser(req)
	req.Host = p.host
	if p.agent != "" {
		req.Header.Set("User-Agent", p.agent)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return reply{address: requested(err, req.URL)}, err
	}
	defer res.Body.Close()
	r := reply{code: res.StatusCode, address: errtext.Address(res.Request.URL)}
	switch {
	case res.StatusCode < 100: // net/http accepts it
		return reply{address: r.address}, fmt.Errorf("malformed HTTP status code %03d", res.StatusCode)
	case res.StatusCode == http.StatusSwitchingProtocols: // no body follows, and no context ends a read of it
		return r, nil
	}
	if r.body, err = readBody(res, p.limit, p.expected); err != nil {
		r.body = bytes.Clone(r.body[:min(len(r.body), excerpt)])
		return r, fmt.Errorf("answered %d: %w", r.code, err)
	}
	p.connections.replied(res)
	if r.code == http.StatusOK {
		r.invalid = use(r.body)
	}
	p.expected = int64(len(r.body)) * 9 / 8 // the next body may be a little longer
	return r, nil
}

// traceID returns the ID of the trace in a context, "" for none.
func traceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}

// retryDelay returns delays of 0, 20, 40, 80 … ms before the first, second, third, fourth … retry.
type retryDelay struct {
	limit *runLimit
	next  time.Duration
}

func (d *retryDelay) Reset() { d.next = 0 }

func (d *retryDelay) NextBackOff() time.Duration {
	delay := d.next
	d.next = max(20*time.Millisecond, 2*delay)
	if delay > d.limit.remaining() {
		return backoff.Stop // the delay would be longer than the remaining time
	}
	return delay
}
