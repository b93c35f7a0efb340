package e2e

import (
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestExemplars goes from a histogram in Prometheus to a trace in Jaeger.
func TestExemplars(t *testing.T) {
	j := startJaeger(t)
	s := startShard(t, j.settings())
	p := startPrometheus(t, "exemplar-storage", s.HTTP)
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

// With native histograms Prometheus asks for protobuf, and is given them.
func TestNativeHistograms(t *testing.T) {
	s := startShard(t, nil)
	p := startPrometheus(t, "exemplar-storage,native-histograms", s.HTTP)
	var found []sample
	testbed.Eventually(t, "the histogram", bound, func() bool {
		found = p.query(t, `signal_probe_duration_seconds{probe="jicofo_health"}`)
		return len(found) > 0
	})
	if len(found) != 1 || found[0].Histogram == nil {
		t.Errorf("the probe's duration is %v, want one native histogram", found)
	}
	if buckets := p.query(t, `signal_probe_duration_seconds_bucket`); len(buckets) != 0 {
		t.Errorf("%d classic buckets as well", len(buckets))
	}
	quantile := p.query(t, `histogram_quantile(0.5, signal_probe_duration_seconds{probe="jicofo_health"})`)
	if len(quantile) != 1 || len(quantile[0].Value) != 2 || quantile[0].Value[1] == "NaN" {
		t.Errorf("the median of the duration is %v", quantile)
	}
	for _, name := range []string{"signal_health", "signal_probe_success", "signal_build_info", "process_start_time_seconds"} {
		if len(p.query(t, name)) == 0 {
			t.Errorf("%s is not there", name)
		}
	}
}
