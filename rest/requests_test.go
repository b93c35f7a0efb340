package rest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// scrape requests /metrics, as Prometheus does.
func (r *runningServer) scrape(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(r.ask(t, "GET", "/metrics").body))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func labels(m *dto.Metric) map[string]string {
	all := map[string]string{}
	for _, pair := range m.GetLabel() {
		all[pair.GetName()] = pair.GetValue()
	}
	return all
}

// wantHealthChecks checks the values of signal_health_check and signal_unhealthy_check.
func (r *runningServer) wantHealthChecks(t *testing.T, checks, unhealthy float64) {
	t.Helper()
	families := r.scrape(t)
	for name, want := range map[string]float64{"signal_health_check": checks, "signal_unhealthy_check": unhealthy} {
		metrics := families[name].GetMetric()
		if len(metrics) != 1 || len(metrics[0].GetLabel()) != 0 {
			t.Errorf("%s: %v", name, metrics)
		} else if got := metrics[0].GetGauge().GetValue(); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// TestHealthChecksAreCounted checks the counters of requests to the health endpoint and of those with an unhealthy
// reply. They are exported from the start, so that a rate includes the first request.
func TestHealthChecksAreCounted(t *testing.T) {
	r := startServer(t, setup{})
	r.wantHealthChecks(t, 0, 0)
	r.ask(t, "GET", "/signal/health") // 500
	r.wantHealthChecks(t, 1, 1)
	r.node.enter(t, "up")
	r.ask(t, "GET", "/signal/health")
	r.ask(t, "GET", "/about/health")
	r.ask(t, "HEAD", "/signal/health")
	r.wantHealthChecks(t, 4, 1)
	r.node.enter(t, "down")
	r.ask(t, "GET", "/signal/health")
	r.ask(t, "HEAD", "/about/health")
	r.wantHealthChecks(t, 6, 3)
	r.ask(t, "GET", "/health") // about the sidecar itself
	r.ask(t, "GET", "/signal/report")
	r.ask(t, "POST", "/signal/health")
	r.wantHealthChecks(t, 6, 3)
}

// TestRequestsAreMeasured checks that requests are measured by method, route template and status, as the semantic
// conventions define.
func TestRequestsAreMeasured(t *testing.T) {
	r := startServer(t, setup{})
	r.node.enter(t, "up")
	r.ask(t, "GET", "/signal/report?who=me")
	r.ask(t, "GET", "/signal/report")
	r.ask(t, "GET", "/nowhere")
	r.ask(t, "POST", "/health")
	r.ask(t, "POST", "/nowhere")
	r.ask(t, "BREW", "/health")
	r.node.enter(t, "down")
	r.ask(t, "GET", "/signal/health")
	got := map[string]uint64{}
	for _, m := range r.scrape(t)["http_server_request_duration_seconds"].GetMetric() {
		got[fmt.Sprint(labels(m))] = m.GetHistogram().GetSampleCount()
	}
	for want, count := range map[string]uint64{
		"map[http_request_method:GET http_response_status_code:200 http_route:/signal/report url_scheme:http]":                2,
		"map[error_type:503 http_request_method:GET http_response_status_code:503 http_route:/signal/health url_scheme:http]": 1,
		"map[http_request_method:GET http_response_status_code:404 url_scheme:http]":                                          1,
		"map[http_request_method:POST http_response_status_code:404 url_scheme:http]":                                         1,
		"map[http_request_method:POST http_response_status_code:405 url_scheme:http]":                                         1,
		"map[http_request_method:_OTHER http_response_status_code:405 url_scheme:http]":                                       1,
	} {
		if got[want] != count {
			t.Errorf("%s counts %d, want %d; there are %v", want, got[want], count, got)
		}
	}
}

// TestDurationBuckets checks that the histogram distinguishes durations of a millisecond and of a second.
func TestDurationBuckets(t *testing.T) {
	took := []time.Duration{300 * time.Microsecond, 3 * time.Millisecond, 30 * time.Millisecond, 300 * time.Millisecond,
		3 * time.Second}
	reader := sdkmetric.NewManualReader()
	in, err := newInstruments(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request, _ = http.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	for _, d := range took {
		in.record(c, d)
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if m.Name != "http.server.request.duration" {
			continue
		}
		if counts := m.Data.(metricdata.Histogram[float64]).DataPoints[0].BucketCounts; !slices.Equal(counts, []uint64{1, 1,
			1, 1, 1}) {
			t.Errorf("the buckets count %v", counts)
		}
		return
	}
	t.Error("there is no such metric")
}

// TestRequestLabelsAreBounded checks that the number of series is bounded, whatever clients request.
func TestRequestLabelsAreBounded(t *testing.T) {
	r := startServer(t, setup{census: true})
	methods := slices.DeleteFunc(slices.Clone(knownMethods), func(m string) bool { return m == http.MethodConnect })
	for i := range 300 {
		n := strconv.Itoa(i)
		r.ask(t, "GET", "/random/"+n)
		r.ask(t, "GET", "/signal/health/"+n+"?q="+n)
		r.ask(t, "RANDOM"+n, "/health")
		r.ask(t, "RANDOM"+n, "/random/"+n)
		r.ask(t, methods[i%len(methods)], "/signal/health")
		r.ask(t, methods[i%len(methods)], "/random/"+n)
	}
	series := r.scrape(t)["http_server_request_duration_seconds"].GetMetric()
	// 404 for each method and _OTHER; 405 for the same without GET and HEAD; 500 for GET and HEAD.
	if want := (len(methods) + 1) + (len(methods) + 1 - 2) + 2; len(series) != want {
		t.Errorf("%d series, want %d: %v", len(series), want, series)
	}
	for _, m := range series {
		if all := fmt.Sprint(labels(m)); strings.Contains(all, "random") || strings.Contains(all, "RANDOM") {
			t.Errorf("a stranger's words are in the labels: %s", all)
		}
	}
}
