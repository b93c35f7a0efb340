// Package collector observes the signal node: one file per probe, the HTTP probe that they share, and the polling loop.
// Each poll is a trace. Each probe in it has a span and metrics. Results are passed on immediately as a
// health.Observation; this package draws no conclusions from them.
package collector

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/health"
)

const scope = "github.com/signal-sidecar/signal-sidecar/collector"

// Options are what every collector needs.
type Options struct {
	// Interval is the time between the starts of two polls; > 0.
	Interval time.Duration
	// Recovery replaces Interval while the latest observation of this collector is unhealthy, if it is shorter. 0
	// means no difference. The status file, which is watched, and the census do not use it.
	Recovery time.Duration
	// Tolerates reports whether a failure of jicofo or prosody is tolerated now (UNREACHABLE_TOLERANCE). The
	// service is then polled every 100 ms. nil means never.
	Tolerates func(service string) bool
	// Timeout bounds each probe, its retries included; > 0.
	Timeout time.Duration
	// Retries is the number of further attempts after a transport error.
	Retries int
	// UserAgent is the User-Agent header of HTTP probes; "" for Go's own.
	UserAgent string
	// Observe receives each observation. The context carries the span of the poll.
	Observe func(context.Context, health.Observation)
	// RootCAs are the certificate authorities for https; nil means the system's.
	RootCAs *x509.CertPool
	// Dial opens the connections of HTTP probes; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Logger         *slog.Logger
	// Guard catches a panic of a poll, which then has no result and is made again at its next time. nil catches none.
	Guard *guard.Guard
}

// Collector polls one source until its context ends.
type Collector interface {
	Run(ctx context.Context) error
	// Overdue returns an error if the latest result of this collector is out of date: a poll has not begun 500 ms
	// after its time, or has not ended 500 ms after the longest time that a probe may take. A poll that began late is
	// overdue until it has ended. Overdue is cheap. It returns nil before Run.
	Overdue(now time.Time) error

	times() *progress // for SelfWatch
}

// instruments are the metrics of all probes. The attribute probe names the probe.
type instruments struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
	results  metric.Int64Counter
	attempts metric.Int64Counter
	success  metric.Int64Gauge
}

// durationBuckets are in seconds, from a healthy reply on loopback to the default PROBE_TIMEOUT, so that no quantile is
// above the longest possible duration. 1.5 is the threshold of SignalProbeSlow, which then needs no interpolation.
var durationBuckets = []float64{.001, .005, .01, .05, .1, .5, 1, 1.5, 2, 3}

func newInstruments(o Options) (instruments, error) {
	i := instruments{tracer: o.TracerProvider.Tracer(scope)}
	meter := o.MeterProvider.Meter(scope)
	var errs [4]error
	i.duration, errs[0] = meter.Float64Histogram("signal.probe.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of a probe, its retries included."),
		metric.WithExplicitBucketBoundaries(durationBuckets...))
	i.results, errs[1] = meter.Int64Counter("signal.probe.results",
		metric.WithUnit("{probe}"),
		metric.WithDescription("Number of probes by outcome: ok, http_error (an answer other than 200), invalid_body, or why there was no answer; of the status file ok, unknown_word or unreadable."))
	i.attempts, errs[2] = meter.Int64Counter("signal.probe.attempts",
		metric.WithUnit("{attempt}"),
		metric.WithDescription("Number of tries that the probes took; above the number of results when transport errors were retried."))
	i.success, errs[3] = meter.Int64Gauge("signal.probe.success",
		metric.WithUnit("{probe}"), metric.WithDescription("Whether the latest probe found what it should, 1 or 0."))
	for _, err := range errs {
		if err != nil {
			return i, fmt.Errorf("create probe instruments: %w", err)
		}
	}
	return i, nil
}
