package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/testbed/node"
)

// vars are environment variables.
type vars = testbed.Vars

// quick makes the sidecar poll and push often, without dampening and without a grace interval.
var quick = testbed.Quick.With(vars{
	"POLLING_INTERVAL": "0.05", "OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "50",
	"OTEL_METRIC_EXPORT_INTERVAL": "200",
})

// shard is a simulated signal node, its status file, and the running binary beside it.
type shard struct {
	*node.Node
	*testbed.Sidecar
}

// startShard returns when the sidecar has its first verdict.
func startShard(t *testing.T, settings vars) *shard {
	t.Helper()
	n := node.Start(t)
	s := &shard{n, testbed.StartSidecar(t, quick.With(n.Settings()).With(settings))}
	s.Becomes(t, "up ready 100%")
	return s
}

// jicofo sets jicofo's behavior.
func (s *shard) jicofo(behavior string) {
	s.Jicofo.Set("", signalnode.MustParseBehavior(behavior))
}

// ask performs one agent check. It returns the reply without its line end, and the time that it took.
func (s *shard) ask(t *testing.T) (line string, took time.Duration) {
	t.Helper()
	began := time.Now()
	said, err := testbed.Ask(s.Agent)
	testbed.Must(t, err)
	return strings.TrimSuffix(said, "\n"), time.Since(began)
}

// count returns the value of a counter in /metrics, or 0 if it is missing.
func (s *shard) count(series string) int {
	var value float64
	_, _ = fmt.Sscan(s.Metric(series), &value)
	return int(value)
}

// probes returns how often a probe has run with an outcome.
func (s *shard) probes(probe, outcome string) int {
	return s.count(fmt.Sprintf("signal_probe_results_total{outcome=%q,probe=%q}", outcome, probe))
}

// awaitProbes waits for n more probes of jicofo's health with the outcome.
func (s *shard) awaitProbes(t *testing.T, n int, outcome string) {
	t.Helper()
	from := s.probes("jicofo_health", outcome)
	testbed.Eventually(t, fmt.Sprintf("%d probes with outcome %s", n, outcome), bound, func() bool {
		return s.probes("jicofo_health", outcome) >= from+n
	})
}

// items returns the number of items of a signal (traces, metrics, logs) with a result.
func (s *shard) items(signal, result string) int {
	return s.count(fmt.Sprintf("signal_otlp_items_total{result=%q,signal=%q}", result, signal))
}

// incident returns the id of the current incident, or "" if there is none.
func (s *shard) incident(t *testing.T) string {
	t.Helper()
	var explanation struct{ Incident string }
	getJSON(t, "http://"+s.HTTP+"/signal/explain", nil, &explanation)
	return explanation.Incident
}
