package otel

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newProviders returns providers with the Prometheus bridge, until the test ends.
func newProviders(t *testing.T, log io.Writer) *Providers {
	t.Helper()
	p, err := New(t.Context(), Options{
		Build:      Build{Version: "v1.2.3", Revision: "abc", GoVersion: "go1.26"},
		Prometheus: true, Log: slog.NewJSONHandler(log, nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return p
}

// scrape returns the metrics in the format of the Accept header.
func (p *Providers) scrape(t *testing.T, accept string) string {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept", accept)
	response := httptest.NewRecorder()
	promhttp.HandlerFor(p.Gatherer, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(response, request)
	if response.Code != http.StatusOK {
		t.Fatalf("%d: %s", response.Code, response.Body)
	}
	return response.Body.String()
}

// gather returns the metrics by name.
func (p *Providers) gather(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := p.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}
