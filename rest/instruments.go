package rest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// instruments are the metrics of this package.
type instruments struct {
	requests        metric.Float64Histogram
	healthChecks    metric.Int64UpDownCounter
	unhealthyChecks metric.Int64UpDownCounter

	sets sync.Map // of requestKey to metric.MeasurementOption
}

// slowAnswer, in seconds, is what an answer should not take. It is the only boundary, for the number of series is bounded
// (docs/metrics.md); native histograms tell more.
const slowAnswer = .01

// requestKey holds the bounded labels of a request.
type requestKey struct {
	method, route string
	code          int
}

func newInstruments(provider metric.MeterProvider) (*instruments, error) {
	meter := provider.Meter("github.com/signal-sidecar/signal-sidecar/rest")
	i := new(instruments)
	var errs [3]error
	i.requests, errs[0] = meter.Float64Histogram("http.server.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP server requests."),
		metric.WithExplicitBucketBoundaries(slowAnswer))
	// Counters without the suffix that counters must have in OpenMetrics: the dashboards of the original know them so.
	// An up-down counter, which Prometheus shows as a gauge, keeps the names in both formats.
	i.healthChecks, errs[1] = meter.Int64UpDownCounter("signal_health_check",
		metric.WithDescription("Number of times that the health of the node was asked for."))
	i.unhealthyChecks, errs[2] = meter.Int64UpDownCounter("signal_unhealthy_check",
		metric.WithDescription("Number of times that the health of the node was asked for and was not healthy."))
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("create HTTP instruments: %w", err)
		}
	}
	i.healthChecks.Add(context.Background(), 0) // shown from the start
	i.unhealthyChecks.Add(context.Background(), 0)
	return i, nil
}

func (i *instruments) countHealthCheck(ctx context.Context, healthy bool) {
	i.healthChecks.Add(ctx, 1)
	if !healthy {
		i.unhealthyChecks.Add(ctx, 1)
	}
}

// measure records each request under its route's template, never its URL (semantic conventions, http.server.request.duration).
func (i *instruments) measure(c *gin.Context) {
	start := time.Now()
	c.Next()
	key := requestKey{c.Request.Method, c.FullPath(), c.Writer.Status()}
	if key.route == "" { // anything can stand there; on a route it is GET or HEAD
		key.method = "_OTHER" // as the semantic conventions have it
	}
	i.requests.Record(c, time.Since(start).Seconds(), i.set(key))
}

func (i *instruments) set(k requestKey) metric.MeasurementOption {
	if set, ok := i.sets.Load(k); ok {
		return set.(metric.MeasurementOption)
	}
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", k.method),
		attribute.Int("http.response.status_code", k.code),
		attribute.String("url.scheme", "http"),
	}
	if k.route != "" {
		attributes = append(attributes, attribute.String("http.route", k.route))
	}
	set := metric.WithAttributeSet(attribute.NewSet(attributes...))
	i.sets.Store(k, set)
	return set
}
