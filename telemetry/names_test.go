package telemetry

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"github.com/signal-sidecar/signal-sidecar/rest"
	"github.com/signal-sidecar/signal-sidecar/testbed/metrics"
)

// original are the metrics that dashboards of the Node original use: names and types in Prometheus
// text and in OpenMetrics. The values are those after one health check of a healthy node.
var original = []struct{ text, open string }{
	{"# TYPE signal_health gauge\nsignal_health 1\n",
		"# TYPE signal_health gauge\nsignal_health 1.0\n"},
	{"# TYPE signal_health_check gauge\nsignal_health_check 0\n",
		"# TYPE signal_health_check gauge\nsignal_health_check 0.0\n"},
	{"# TYPE signal_unhealthy_check gauge\nsignal_unhealthy_check 0\n",
		"# TYPE signal_unhealthy_check gauge\nsignal_unhealthy_check 0.0\n"},
	{"# TYPE signal_unhealthy_total counter\nsignal_unhealthy_total 0\n",
		"# TYPE signal_unhealthy counter\nsignal_unhealthy_total 0.0\n"},
	{"# TYPE signal_census gauge\nsignal_census 1\n",
		"# TYPE signal_census gauge\nsignal_census 1.0\n"},
	{"# TYPE prosody_participant_sum_squared gauge\nprosody_participant_sum_squared 25\n",
		"# TYPE prosody_participant_sum_squared gauge\nprosody_participant_sum_squared 25.0\n"},
}

// newWholeStage returns a stage of a healthy node that also has the metrics of the REST server.
func newWholeStage(t *testing.T) *stage {
	s := newStage(t, rules)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	_, err = rest.New(rest.Options{
		Listeners: []net.Listener{listener}, Source: s, MeterProvider: s.MeterProvider, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.upReady(context.Background())
	s.observe(context.Background(), census(200, 7, 25))
	return s
}

func TestOriginalNames(t *testing.T) {
	s := newWholeStage(t)
	text, open := metrics.Scrape(t, s.Gatherer, "text/plain"), metrics.Scrape(t, s.Gatherer, "application/openmetrics-text; version=1.0.0")
	for _, want := range original {
		if !strings.Contains(text, want.text) {
			t.Errorf("the text lacks\n%s", want.text)
		}
		if !strings.Contains(open, want.open) {
			t.Errorf("OpenMetrics lacks\n%s", want.open)
		}
	}
	if t.Failed() {
		t.Logf("%s\n%s", text, open)
	}
}

// TestHelp checks that every metric has a help text and a type.
func TestHelp(t *testing.T) {
	families := metrics.Gather(t, newWholeStage(t).Gatherer)
	if len(families) < 20 {
		t.Errorf("only %d metrics", len(families))
	}
	for name, family := range families {
		if strings.TrimSpace(family.GetHelp()) == "" {
			t.Errorf("%s has no help", name)
		}
		if family.GetType() == dto.MetricType_UNTYPED {
			t.Errorf("%s has no type", name)
		}
	}
}
