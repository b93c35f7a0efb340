// Package collector observes the signal node: one file per probe, the HTTP probe that they share, and the loop that
// polls (spec section 2). Each poll is a trace, each probe in it a span with metrics of its own. What was seen is handed
// on at once as a health.Observation; this package draws no conclusions from it.
package collector

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const scope = "github.com/signal-sidecar/signal-sidecar/collector"

// Options is what every collector needs.
type Options struct {
	// Interval is the time between the starts of two polls; > 0.
	Interval time.Duration
	// Recovery is the same while what this collector saw latest is unhealthy, where it is shorter; 0 for no difference.
	// The status file, which is watched, and the census do without.
	Recovery time.Duration
	// Tolerates reports whether what was seen of jicofo or prosody is tolerated (UNREACHABLE_TOLERANCE): it is then polled
	// every 100 ms. nil means never.
	Tolerates func(service string) bool
	// Timeout bounds each probe, its retries included; > 0.
	Timeout time.Duration
	// Retries is the number of further tries after a transport error.
	Retries int
	// UserAgent is the header of that name of HTTP probes; "" for Go's own.
	UserAgent string
	// Observe takes what was seen. The context carries the poll's span.
	Observe func(context.Context, health.Observation)
	// Dial opens the connections of HTTP probes; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Logger         *slog.Logger
}

// Collector polls one source until its context ends.
type Collector interface {
	Run(ctx context.Context) error
	// Overdue returns an error when what this collector found last is too old to go by: a poll has not begun 500 ms after
	// its time, or has not ended 500 ms after the time that a probe may take. A poll that began late is overdue until it
	// has ended. It is cheap, and returns nil before Run.
	Overdue(now time.Time) error
	// Stuck returns an error when the loop has not made its next step, whatever that is, 5 s after its time, as when a read
	// of the status file hangs in the kernel. A service that hangs is no such case: its poll ends by the timeout. It
	// returns nil before Run.
	Stuck(now time.Time) error
}

// instruments are the metrics of every probe; the attribute probe names which.
type instruments struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
	results  metric.Int64Counter
	attempts metric.Int64Counter
	success  metric.Int64Gauge
}

// durationBuckets, in seconds, reach from a healthy answer on loopback to the default PROBE_TIMEOUT: a quantile is then
// never above what a probe can take. 1.5 is the threshold of SignalProbeSlow, which so needs no interpolation.
var durationBuckets = []float64{.001, .005, .01, .05, .1, .5, 1, 1.5, 2, 3}

func newInstruments(o Options) (instruments, error) {
	i := instruments{tracer: o.TracerProvider.Tracer(scope)}
	meter := o.MeterProvider.Meter(scope)
	var errs [4]error
	i.duration, errs[0] = meter.Float64Histogram("signal.probe.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of a probe, its retries included."),
		metric.WithExplicitBucketBoundaries(durationBuckets...))
	i.results, errs[1] = meter.Int64Counter("signal.probe.results",
		metric.WithUnit("{probe}"), metric.WithDescription("Number of probes by outcome: ok, http_error (an answer other than 200), invalid_body, or why there was no answer; of the status file ok, unknown_word or unreadable."))
	i.attempts, errs[2] = meter.Int64Counter("signal.probe.attempts",
		metric.WithUnit("{attempt}"), metric.WithDescription("Number of tries that the probes took; above the number of results when transport errors were retried."))
	i.success, errs[3] = meter.Int64Gauge("signal.probe.success",
		metric.WithUnit("{probe}"), metric.WithDescription("Whether the latest probe found what it should, 1 or 0."))
	for _, err := range errs {
		if err != nil {
			return i, fmt.Errorf("create probe instruments: %w", err)
		}
	}
	return i, nil
}
