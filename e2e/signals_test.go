package e2e

import (
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestSignals checks which signals are pushed, depending on OTEL_*.
func TestSignals(t *testing.T) {
	t.Parallel()
	const traces, metrics, logs = 1, 2, 4
	for name, test := range map[string]struct {
		settings func(address string) vars
		pushed   int
	}{
		"always_off": {func(a string) vars {
			return vars{"OTEL_EXPORTER_OTLP_ENDPOINT": a, "OTEL_TRACES_SAMPLER": "always_off"}
		}, metrics | logs},
		"no traces": {func(a string) vars { return vars{"OTEL_EXPORTER_OTLP_ENDPOINT": a, "OTEL_TRACES_EXPORTER": "none"} },
			metrics | logs},
		"no metrics": {func(a string) vars { return vars{"OTEL_EXPORTER_OTLP_ENDPOINT": a, "OTEL_METRICS_EXPORTER": "none"} },
			traces | logs},
		"no logs": {func(a string) vars { return vars{"OTEL_EXPORTER_OTLP_ENDPOINT": a, "OTEL_LOGS_EXPORTER": "none"} },
			traces | metrics},
		"traces": {func(a string) vars { return vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": a + "/v1/traces"} }, traces},
		"metrics": {func(a string) vars { return vars{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": a + "/v1/metrics"} },
			metrics},
		"logs": {func(a string) vars { return vars{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": a + "/v1/logs"} }, logs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startReceiver(t, "http/protobuf", testbed.LastingAddress(t))
			s := startShard(t, test.settings("http://"+r.address))
			s.awaitProbes(t, 20, "ok")
			s.Stop(t, syscall.SIGTERM) // this exports what is left
			got := 0
			for signal, n := range map[int]int{
				traces: r.traces.SpanCount(), metrics: r.metrics.DataPointCount(), logs: r.logs.LogRecordCount()} {
				if n > 0 {
					got |= signal
				}
			}
			if got != test.pushed {
				t.Errorf("%d spans, %d data points and %d log records came", r.traces.SpanCount(), r.metrics.DataPointCount(),
					r.logs.LogRecordCount())
			}
		})
	}
}
