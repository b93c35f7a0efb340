package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const meterName = "github.com/signal-sidecar/signal-sidecar/rest"

// durationBoundaries are in seconds. The first is above the duration of a reply on an idle machine. Above the last,
// load balancers begin to give up. Each boundary adds a series to every kind of request, and the number of series is
// bounded (docs/metrics.md).
var durationBoundaries = []float64{.001, .01, .1, 1}

// knownMethods are those of RFC 9110, and PATCH (RFC 5789). The semantic conventions call any other _OTHER.
var knownMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodConnect,
	http.MethodOptions, http.MethodTrace, http.MethodPatch,
}

// instruments are the metrics of this package.
type instruments struct {
	requests                      metric.Float64Histogram
	healthChecks, unhealthyChecks metric.Int64UpDownCounter
}

func newInstruments(provider metric.MeterProvider) (*instruments, error) {
	meter := provider.Meter(meterName)
	requests, err := meter.Float64Histogram("http.server.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP server requests."),
		metric.WithExplicitBucketBoundaries(durationBoundaries...))
	// In OpenMetrics a counter's name must end in _total, and the dashboards of the original use these names. An up-down
	// counter is a gauge in Prometheus, and keeps its name in both text formats.
	checks, errC := meter.Int64UpDownCounter("signal_health_check",
		metric.WithUnit("{request}"), metric.WithDescription("Number of requests for the health of the node."))
	unhealthy, errU := meter.Int64UpDownCounter("signal_unhealthy_check", metric.WithUnit("{request}"),
		metric.WithDescription("Number of requests for the health of the node that were answered unhealthy."))
	if err := errors.Join(err, errC, errU); err != nil {
		return nil, fmt.Errorf("create HTTP instruments: %w", err)
	}
	// The counters are exported from the start, so that a rate includes the first request.
	checks.Add(context.Background(), 0)
	unhealthy.Add(context.Background(), 0)
	return &instruments{requests, checks, unhealthy}, nil
}

func (i *instruments) countHealthCheck(ctx context.Context, healthy bool) {
	i.healthChecks.Add(ctx, 1)
	if !healthy {
		i.unhealthyChecks.Add(ctx, 1)
	}
}

// measure records each request under the template of its route, never under its URL (semantic conventions,
// http.server.request.duration).
func (i *instruments) measure(c *gin.Context) {
	start := time.Now()
	c.Next()
	i.record(c, time.Since(start))
}

func (i *instruments) record(c *gin.Context, took time.Duration) {
	method, route, code := c.Request.Method, c.FullPath(), c.Writer.Status()
	if route == eventsPath && code == http.StatusOK {
		return // a stream lasts as long as its client keeps it open
	}
	if !slices.Contains(knownMethods, method) {
		method = "_OTHER"
	}
	scheme := "http"
	if c.Request.TLS != nil {
		scheme = "https"
	}
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", method),
		attribute.Int("http.response.status_code", code),
		attribute.String("url.scheme", scheme),
	}
	if route != "" {
		attributes = append(attributes, attribute.String("http.route", route))
	}
	if code >= http.StatusInternalServerError {
		attributes = append(attributes, attribute.String("error.type", strconv.Itoa(code)))
	}
	i.requests.Record(c.Request.Context(), took.Seconds(), metric.WithAttributes(attributes...))
}
