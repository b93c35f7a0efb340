package e2e

import (
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestExemplars follows an exemplar from a histogram in Prometheus to a trace in Jaeger.
func TestExemplars(t *testing.T) {
	j := startJaeger(t)
	s := startShard(t, j.settings())
	p := startPrometheus(t, s.HTTP)
	const series = `signal_probe_duration_seconds_bucket{probe="jicofo_health"}`
	testbed.Eventually(t, "an exemplar whose trace Jaeger has", bound, func() bool {
		for _, trace := range p.exemplars(t, series) {
			if j.has(trace) {
				return true
			}
		}
		return false
	})
	if n := len(p.query(t, series)); n < 10 {
		t.Errorf("%d buckets, want those of a classic histogram", n)
	}
}
