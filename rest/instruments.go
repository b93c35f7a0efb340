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
		metric.WithExplicitBucketBoundaries(.001, .01, .1, 1))
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
	key := requestKey{boundedMethod(c.Request.Method), c.FullPath(), c.Writer.Status()}
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

// boundedMethod keeps the number of labels bounded: any other method is _OTHER, as the semantic conventions have it.
func boundedMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT":
		return method
	default:
		return "_OTHER"
	}
}
