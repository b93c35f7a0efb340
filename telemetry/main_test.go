package telemetry

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/otel"
	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/testbed/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is telemetry that listens to a real monitor.
type stage struct {
	*Telemetry
	*health.Monitor
	log     *testbed.LogBuffer
	spans   *tracetest.SpanRecorder
	tracing *sdktrace.TracerProvider
}

// newStage returns a stage whose monitor has no observation.
func newStage(t *testing.T, config health.Config) *stage {
	t.Helper()
	s := &stage{log: new(testbed.LogBuffer), spans: tracetest.NewSpanRecorder()}
	s.tracing = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(s.spans))
	var err error
	s.Telemetry, err = New(t.Context(), Options{
		Options: otel.Options{Prometheus: true, Log: slog.NewJSONHandler(s.log, nil)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	s.tracer = s.tracing.Tracer(scope)
	s.Monitor = health.NewMonitor(config, s.Listen)
	if err := s.Watch(s.Monitor); err != nil {
		t.Fatal(err)
	}
	return s
}

// values returns the series of the metrics whose names begin with one of the prefixes, as "name{label=value,…}".
func (s *stage) values(t *testing.T, prefixes ...string) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for name, family := range metrics.Gather(t, s.Gatherer) {
		for _, prefix := range prefixes {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			for _, m := range family.GetMetric() {
				all[name+labels(m)] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return all
}

func labels(m *dto.Metric) string {
	pairs := make([]string, 0, len(m.GetLabel()))
	for _, pair := range m.GetLabel() {
		pairs = append(pairs, pair.GetName()+"="+pair.GetValue())
	}
	if len(pairs) == 0 {
		return ""
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

// observedAt is the time of all observations.
var observedAt = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

func (s *stage) observe(ctx context.Context, parts ...health.Observation) {
	for _, o := range parts {
		o.At = observedAt
		s.Observe(ctx, o)
	}
}

func jicofo(code int, participants, conferences float64) health.Observation {
	return health.Observation{Jicofo: &health.Jicofo{
		Health: health.Answer{Code: code}, Stats: health.Answer{Code: 200},
		Participants: participants, Conferences: conferences,
	}}
}

func prosody(code int) health.Observation {
	return health.Observation{Prosody: &health.Prosody{Health: health.Answer{Code: code}}}
}

func statusFile(contents string) health.Observation {
	return health.Observation{StatusFile: &health.StatusFile{Found: true, Contents: contents}}
}

func census(code int, participants, squared float64) health.Observation {
	return health.Observation{Census: &health.Census{
		Answer: health.Answer{Code: code}, Participants: participants, SumSquared: squared,
	}}
}

// upReady observes a healthy node.
func (s *stage) upReady(ctx context.Context) {
	s.observe(ctx, jicofo(200, 123, 45), prosody(200), statusFile("ready"))
}

// rules are the defaults.
var rules = health.Config{
	ParticipantMax: 5000, WeightParticipants: true, HealthDampening: 30 * time.Second, DrainGrace: 120 * time.Second,
	DrainGraceScope: health.ScopeJicofo, Census: true,
}

// entries returns the lines of a log with that message, decoded.
func entries(t *testing.T, log *testbed.LogBuffer, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for _, line := range log.Lines() {
		var attrs map[string]any
		if err := json.Unmarshal([]byte(line), &attrs); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if attrs["msg"] == message {
			found = append(found, attrs)
		}
	}
	return found
}
