package rest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// instruments are the metrics of this package.
type instruments struct {
	requests                      metric.Float64Histogram
	healthChecks, unhealthyChecks atomic.Int64 // observed when they are collected, which costs a request next to nothing

	mu   sync.RWMutex
	sets map[requestKey][]metric.RecordOption
}

// durationBoundaries, in seconds: an idle machine answers below the first, and load balancers begin to give up above the last.
// Each boundary adds a series to every kind of request, and the number of series is bounded (docs/metrics.md).
var durationBoundaries = []float64{.001, .01, .1, 1}

// knownMethods are those of RFC 9110, and PATCH (RFC 5789). The semantic conventions call any other _OTHER.
var knownMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodConnect, http.MethodOptions,
	http.MethodTrace, http.MethodPatch,
}

const meterName = "github.com/signal-sidecar/signal-sidecar/rest"

// requestKey holds the bounded labels of a request.
type requestKey struct {
	method, route string
	code          int
}

func newInstruments(provider metric.MeterProvider) (*instruments, error) {
	meter := provider.Meter(meterName)
	i := &instruments{sets: map[requestKey][]metric.RecordOption{}}
	var errs [4]error
	i.requests, errs[0] = meter.Float64Histogram("http.server.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP server requests."),
		metric.WithExplicitBucketBoundaries(durationBoundaries...))
	// Counters without the suffix that counters must have in OpenMetrics: the dashboards of the original know them so.
	// An up-down counter, which Prometheus shows as a gauge, keeps the names in both formats.
	checks, err := meter.Int64ObservableUpDownCounter("signal_health_check",
		metric.WithUnit("{request}"), metric.WithDescription("Number of times that the health of the node was asked for."))
	errs[1] = err
	unhealthy, err := meter.Int64ObservableUpDownCounter("signal_unhealthy_check",
		metric.WithUnit("{request}"), metric.WithDescription("Number of times that the health of the node was asked for and was not healthy."))
	errs[2] = err
	_, errs[3] = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(checks, i.healthChecks.Load())
		o.ObserveInt64(unhealthy, i.unhealthyChecks.Load())
		return nil
	}, checks, unhealthy)
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("create HTTP instruments: %w", err)
		}
	}
	return i, nil
}

func (i *instruments) countHealthCheck(healthy bool) {
	i.healthChecks.Add(1)
	if !healthy {
		i.unhealthyChecks.Add(1)
	}
}

// measure records each request under its route's template, never its URL (semantic conventions, http.server.request.duration).
// A stream of events lasts as long as its listener likes, which is no duration of ours.
func (i *instruments) measure(c *gin.Context) {
	start := time.Now()
	c.Next()
	i.record(c, time.Since(start))
}

func (i *instruments) record(c *gin.Context, took time.Duration) {
	key := requestKey{c.Request.Method, c.FullPath(), c.Writer.Status()}
	if key.route == eventsPath && key.code == http.StatusOK {
		return
	}
	if !slices.Contains(knownMethods, key.method) {
		key.method = "_OTHER"
	}
	i.requests.Record(c.Request.Context(), took.Seconds(), i.set(key)...)
}

// set returns the attributes of a request, which are made once for each kind of it.
func (i *instruments) set(k requestKey) []metric.RecordOption {
	i.mu.RLock()
	set := i.sets[k]
	i.mu.RUnlock()
	if set != nil {
		return set
	}
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", k.method),
		attribute.Int("http.response.status_code", k.code),
		attribute.String("url.scheme", "http"),
	}
	if k.route != "" {
		attributes = append(attributes, attribute.String("http.route", k.route))
	}
	if k.code >= http.StatusInternalServerError {
		attributes = append(attributes, attribute.String("error.type", strconv.Itoa(k.code)))
	}
	set = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attributes...))}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sets[k] = set
	return set
}
