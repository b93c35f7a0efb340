package agent

import (
	"maps"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestChecksAreCounted checks the counts by reply. All three exist from the start.
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

// TestBothPortsAreCounted checks the counts of both ports with one provider, as in the sidecar. Those of the held port
// exist from the start too.
func TestBothPortsAreCounted(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	ordinary := startAgent(t, setup{config: rules, meters: provider})
	held := startAgent(t, setup{config: rules, meters: provider, hold: time.Hour})
	want := map[string]int64{
		"signal.agent.held":            0,
		"signal.agent.checks agent up": 0, "signal.agent.checks agent down": 0, "signal.agent.checks agent none": 0,
		"signal.agent.checks hold up": 0, "signal.agent.checks hold down": 0, "signal.agent.checks hold none": 0,
	}
	if got := collect(t, reader); !maps.Equal(got, want) {
		t.Errorf("at the start: counted %v, want %v", got, want)
	}
	ordinary.upReady()
	held.observed(jicofo(0), prosody(500), statusFile("ready"))
	ordinary.check(t)
	for range 3 {
		held.check(t)
	}
	want["signal.agent.checks agent up"], want["signal.agent.checks hold down"] = 1, 3
	testbed.Eventually(t, "the checks of both ports to be counted", bound,
		func() bool { return maps.Equal(collect(t, reader), want) })
}

// wantChecks waits for the counts. A check is counted after its reply has been sent.
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
