package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/contrib/instrumentation/net/http/httptrace/otelhttptrace"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	maxRedirects   = 5
	maxHeaderBytes = 64 << 10
	minIdle        = 90 * time.Second
	excerpt        = 256 // bytes of a failed probe's answer that are kept
)

var (
	errBodySize  = errors.New("the body is larger than this probe reads")
	errRedirects = fmt.Errorf("more than %d redirects", maxRedirects)
)

// httpProbe asks one URL with GET. It has connections of its own, so that no other probe's trouble reaches it.
type httpProbe struct {
	record  *recorder
	url     string
	host    string // Host header, when it differs from the URL's
	limit   int64  // bytes of the body that are read at most
	timeout time.Duration
	retries int
	client  *http.Client

	closeIdle func() // closes the connection that is kept for the next probe
	line      *line  // tells when the service hangs up on it

	expected int64 // bytes that the next body may have, after the latest
}

func newHTTPProbe(name, url string, limit int64, o Options, in instruments, watch *hangups) *httpProbe {
	line, dial := watch.newLine(), o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: o.Timeout}).DialContext // net/http goes on dialing when the probe has given up
	}
	transport := &http.Transport{
		Proxy:                  nil, // the node is asked directly, whatever the environment says of proxies
		DialContext:            line.watched(dial),
		TLSHandshakeTimeout:    o.Timeout,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        max(minIdle, 2*o.Interval), // each poll uses it, unless a redirect led elsewhere
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return &httpProbe{
		record: newRecorder(name, in, o.Logger, httpOutcomes),
		url:    url, limit: limit, timeout: o.Timeout, retries: o.Retries,
		closeIdle: transport.CloseIdleConnections, // the client's own does not reach through otelhttp
		line:      line,
		client: &http.Client{
			CheckRedirect: func(_ *http.Request, via []*http.Request) error {
				if len(via) > maxRedirects {
					return errRedirects
				}
				return nil
			},
			// A span for each attempt. Its metrics would repeat ours, with labels that are not bounded.
			Transport: otelhttp.NewTransport(transport,
				otelhttp.WithTracerProvider(o.TracerProvider),
				otelhttp.WithMeterProvider(noop.MeterProvider{}),
				otelhttp.WithClientTrace(traceConnection),
				otelhttp.WithPropagators(propagation.TraceContext{})),
		},
	}
}

// reply is a complete HTTP answer.
type reply struct {
	code    int
	body    []byte
	invalid error // what use said
}

// traceConnection gives the span of an attempt an event for each step of its connection.
func traceConnection(ctx context.Context) *httptrace.ClientTrace {
	return otelhttptrace.NewClientTrace(ctx, otelhttptrace.WithoutSubSpans(), otelhttptrace.WithoutHeaders())
}

// ask probes once, retries included. The complete body of a 200 is given to use, whose error makes the probe fail as
// invalid_body and is returned. The body is returned whatever the answer.
func (p *httpProbe) ask(ctx context.Context, use func([]byte) error) (a health.Answer, body []byte, invalid error) {
	start := time.Now()
	ctx, done := p.record.begin(ctx, start)
	r, attempts, err := p.try(p.line.begin(ctx), use)
	if err != nil {
		a = health.Answer{Failure: classify(err), Detail: p.detail(err)}
	} else {
		a = health.Answer{Code: r.code}
	}
	a.Took = time.Since(start).Round(time.Microsecond).Seconds()
	p.line.end(a.Code)
	if !a.OK() || r.invalid != nil {
		a.Exchange = &health.Exchange{
			URL: withoutUser(p.url), Host: p.host, TraceID: traceID(ctx), Attempts: attempts, Body: text(r.body[:min(len(r.body), excerpt)]),
		}
	}
	done(time.Now(), outcomeOf(a, r.invalid), len(attempts))
	if !a.Reachable() {
		return a, nil, nil
	}
	return a, r.body, r.invalid
}

// detail says in words why there was no complete answer.
func (p *httpProbe) detail(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no complete answer within %s", p.timeout)
	}
	return describe(err)
}

// try sends the request until an HTTP answer comes, the time is over, or the retries are. Only transport errors are
// tried again, each time on a fresh connection. With an error the reply holds what came nevertheless.
func (p *httpProbe) try(ctx context.Context, use func([]byte) error) (r reply, attempts []health.Attempt, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	_, _ = backoff.Retry(ctx, func() (struct{}, error) {
		if len(attempts) > 0 {
			if !time.Now().Before(deadline) {
				return struct{}{}, backoff.Permanent(err) // the time ended with the delay: what was found before still holds
			}
			p.closeIdle()
		}
		timed, watch := startAttempt(ctx)
		r, err = p.attempt(timed, use)
		attempts = append(attempts, watch.stop(r.code, err))
		if err != nil && !retryable(err) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	},
		backoff.WithMaxTries(uint(p.retries)+1),
		backoff.WithMaxElapsedTime(p.timeout), // a retry that would come too late is not waited for
		backoff.WithBackOff(new(retryDelay)))
	return r, attempts, err
}

// attempt sends the request once and reads the whole answer. With an error the reply holds what came nevertheless.
func (p *httpProbe) attempt(ctx context.Context, use func([]byte) error) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return reply{}, err
	}
	hideUser(req)
	req.Host = p.host
	res, err := p.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode < 100: // net/http lets it pass
		return reply{}, fmt.Errorf("malformed HTTP status code %03d", res.StatusCode)
	case res.StatusCode == http.StatusSwitchingProtocols: // what follows is no body, and no context ends it
		return reply{code: res.StatusCode}, nil
	}
	r := reply{code: res.StatusCode}
	if r.body, err = readBody(res, p.limit, p.expected); err != nil {
		r.body = bytes.Clone(r.body[:min(len(r.body), excerpt)])
		return r, fmt.Errorf("answered %d: %w", r.code, err)
	}
	if r.code == http.StatusOK {
		r.invalid = use(r.body)
	}
	p.expected = int64(len(r.body)) * 9 / 8 // the next may be a little longer
	return r, nil
}

// traceID is the trace that a context belongs to, "" for none.
func traceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}

// retryDelay waits 0, 20, 40, 80 … ms before the first, second, third … retry (spec section 2).
type retryDelay struct{ next time.Duration }

func (d *retryDelay) Reset() { d.next = 0 }

func (d *retryDelay) NextBackOff() time.Duration {
	delay := d.next
	d.next = max(20*time.Millisecond, 2*delay)
	return delay
}
