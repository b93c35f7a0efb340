package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/otlptranslator"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/signal-sidecar/signal-sidecar/otel"
)

// metricsSink is a backend that receives metrics over OTLP and keeps the latest export.
type metricsSink struct {
	url string

	mu     sync.Mutex
	latest *collectormetrics.ExportMetricsServiceRequest
}

func newMetricsSink(t *testing.T) *metricsSink {
	t.Helper()
	s := new(metricsSink)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := new(collectormetrics.ExportMetricsServiceRequest)
		if err == nil {
			err = proto.Unmarshal(body, request)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.latest = request
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// exportedMetric is a metric's name and unit over OTLP.
type exportedMetric struct{ name, unit string }

// exported returns the metrics of the latest export by their names in Prometheus. It checks the scopes, and that each
// instrument of this module has a unit.
func (s *metricsSink) exported(t *testing.T) map[string]exportedMetric {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]exportedMetric{}
	for _, of := range s.latest.GetResourceMetrics() {
		var instance string
		for _, attribute := range of.GetResource().GetAttributes() {
			if attribute.GetKey() == "service.instance.id" {
				instance = attribute.GetValue().GetStringValue()
			}
		}
		if err := uuid.Validate(instance); err != nil {
			t.Errorf("service.instance.id is %q: %v", instance, err)
		}
		for _, scope := range of.GetScopeMetrics() {
			name, version := scope.GetScope().GetName(), scope.GetScope().GetVersion()
			own := strings.HasPrefix(name, "github.com/signal-sidecar/")
			if own && version != otel.ReadBuild().Version {
				t.Errorf("scope %s has version %q", name, version)
			}
			for _, m := range scope.GetMetrics() {
				if own && m.GetUnit() == "" {
					t.Errorf("%s has no unit", m.GetName())
				}
				all[prometheusName(t, m)] = exportedMetric{m.GetName(), m.GetUnit()}
			}
		}
	}
	return all
}

// prometheusName returns the name of a metric in Prometheus.
func prometheusName(t *testing.T, m *metrics.Metric) string {
	t.Helper()
	kind := otlptranslator.MetricTypeGauge
	switch {
	case m.GetHistogram() != nil:
		kind = otlptranslator.MetricTypeHistogram
	case m.GetSum().GetIsMonotonic():
		kind = otlptranslator.MetricTypeMonotonicCounter
	case m.GetSum() != nil:
		kind = otlptranslator.MetricTypeNonMonotonicCounter
	}
	namer := otlptranslator.MetricNamer{WithMetricSuffixes: true}
	name, err := namer.Build(
		otlptranslator.Metric{Name: m.GetName(), Unit: m.GetUnit(), Type: otlptranslator.MetricType(kind)})
	if err != nil {
		t.Errorf("%s: %v", m.GetName(), err)
	}
	return name
}

// checkExported checks that the scraped metrics and the exported ones are the same.
func checkExported(t *testing.T, families []*dto.MetricFamily, exported map[string]exportedMetric) {
	t.Helper()
	scraped := map[string]bool{}
	for _, f := range families {
		scraped[f.GetName()] = true
		if _, ok := exported[f.GetName()]; !ok && f.GetName() != "target_info" { // target_info is the resource
			t.Errorf("%s is not exported over OTLP", f.GetName())
		}
	}
	for name, e := range exported {
		if !scraped[name] {
			t.Errorf("%s, over OTLP %s, is not scraped", name, e.name)
		}
	}
}
