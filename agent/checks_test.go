package agent

import (
	"context"
	"maps"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// TestChecksAreCounted by what was said; all three are shown from the start.
func TestChecksAreCounted(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	r := startAgent(t, setup{config: rules, meters: provider, change: func(a *Agent) { a.verdictWait = time.Millisecond }})
	r.wantChecks(t, reader, map[string]int64{"up": 0, "down": 0, "none": 0})
	r.check(t)
	r.check(t)
	r.wantChecks(t, reader, map[string]int64{"up": 0, "down": 0, "none": 2})
	r.upReady()
	for range 3 {
		r.check(t)
	}
	r.observed(statusFile("drain"))
	r.check(t)
	r.wantChecks(t, reader, map[string]int64{"up": 4, "down": 0, "none": 2})
	r.observed(prosody(500))
	r.check(t)
	r.wantChecks(t, reader, map[string]int64{"up": 4, "down": 1, "none": 2})
}

// wantChecks waits for the counts: a check is counted when its reply has left.
func (r *runningAgent) wantChecks(t *testing.T, reader *sdkmetric.ManualReader, want map[string]int64) {
	t.Helper()
	var got map[string]int64
	defer func() {
		if t.Failed() {
			t.Errorf("counted %v, want %v", got, want)
		}
	}()
	waitFor(t, "the counts", func() bool {
		got = collectChecks(t, reader)
		return maps.Equal(got, want)
	})
}

func collectChecks(t *testing.T, reader *sdkmetric.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if m.Name != "signal.agent.checks" || !ok || !sum.IsMonotonic {
				t.Errorf("unexpected metric %s: %T", m.Name, m.Data)
				continue
			}
			for _, point := range sum.DataPoints {
				reply, _ := point.Attributes.Value("reply")
				counts[reply.AsString()] = point.Value
			}
		}
	}
	return counts
}
