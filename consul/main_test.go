package consul

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestMain fails the package when a goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long a test waits for something that must happen.
const bound = testbed.Bound

// rig is a Consul under test, and what is recorded of its client.
type rig struct {
	t       *testing.T
	kv      signalnode.Datacenter
	server  *httptest.Server
	url     string
	fault   atomic.Pointer[http.HandlerFunc]     // answers instead of Consul; nil for none
	gets    atomic.Int64                         // requests that Consul or the fault got
	refuse  func(*http.Request) http.HandlerFunc // returns what answers a request instead of Consul, nil for Consul
	metrics *sdkmetric.ManualReader
	spans   *tracetest.SpanRecorder
	log     *testbed.LogBuffer

	tracerProvider *sdktrace.TracerProvider
	meterProvider  *sdkmetric.MeterProvider
	logger         *slog.Logger
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{
		t: t, metrics: sdkmetric.NewManualReader(), spans: tracetest.NewSpanRecorder(), log: new(testbed.LogBuffer),
	}
	r.tracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	r.meterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.metrics))
	r.logger = slog.New(slog.NewTextHandler(r.log, nil))
	consul := signalnode.NewConsul()
	r.kv = consul.Datacenter("")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.gets.Add(1)
		if fault := r.fault.Load(); fault != nil {
			(*fault)(w, q)
			return
		}
		if r.refuse != nil {
			if refusal := r.refuse(q); refusal != nil {
				refusal(w, q)
				return
			}
		}
		consul.ServeHTTP(w, q)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	r.server, r.url = server, server.URL
	return r
}

// fail makes another handler answer instead of Consul, nil for Consul again. The queries that wait in Consul end.
func (r *rig) fail(handler http.HandlerFunc) {
	if handler == nil {
		r.fault.Store(nil)
		return
	}
	r.fault.Store(&handler)
	r.server.CloseClientConnections()
}

// run runs something until stop is called or the test ends.
func (r *rig) run(run func(context.Context) error) (stop func()) {
	r.t.Helper()
	end, _ := testbed.Background(run, bound)
	stop = sync.OnceFunc(func() {
		if err := end(); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
	r.t.Cleanup(stop)
	return stop
}

// logged returns how many lines of the log contain all texts.
func (r *rig) logged(texts ...string) (n int) {
	for _, line := range r.log.Lines() {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			n++
		}
	}
	return n
}

// metric returns the value of the series of a metric that has all attributes ("name=value"), -1 for no such series.
func (r *rig) metric(name string, attributes ...string) float64 {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	testbed.Must(r.t, r.metrics.Collect(context.Background(), &all))
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name == name {
				return pointOf(m.Data, attributes)
			}
		}
	}
	return -1
}

func pointOf(data metricdata.Aggregation, attributes []string) float64 {
	switch d := data.(type) {
	case metricdata.Gauge[int64]:
		return find(d.DataPoints, attributes)
	case metricdata.Gauge[float64]:
		return find(d.DataPoints, attributes)
	case metricdata.Sum[int64]:
		return find(d.DataPoints, attributes)
	}
	return -1
}

func find[N int64 | float64](points []metricdata.DataPoint[N], attributes []string) float64 {
	for _, p := range points {
		all := true
		for _, a := range attributes {
			name, want, _ := strings.Cut(a, "=")
			got, _ := p.Attributes.Value(attribute.Key(name))
			all = all && got.String() == want
		}
		if all {
			return float64(p.Value)
		}
	}
	return -1
}
