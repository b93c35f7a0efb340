package agent

import (
	"maps"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestChecksAreCounted by what was said; all three are shown from the start.
func TestChecksAreCounted(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	r := startAgent(t, setup{config: rules, meters: provider, change: func(a *Agent) { a.room.verdictWait = time.Millisecond }})
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
	named := map[string]int64{}
	for reply, n := range want {
		named["signal.agent.checks agent "+reply] = n
	}
	var got map[string]int64
	defer func() {
		if t.Failed() {
			t.Errorf("counted %v, want %v", got, named)
		}
	}()
	testbed.Eventually(t, "the counts", bound, func() bool {
		got = collect(t, reader)
		return maps.Equal(got, named)
	})
}
