package e2e

import (
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

const collectorConfig, tailSampling = "../deploy/otel-collector/config.yaml",
	"../deploy/otel-collector/tail-sampling.yaml"

// collectorFiles are the arguments that start a Collector with the files in deploy/otel-collector, by name.
var collectorFiles = map[string][]string{
	"plain":         {"--config", collectorConfig},
	"tail sampling": {"--config", collectorConfig, "--config", tailSampling},
}

func TestCollectorAcceptsDeployed(t *testing.T) {
	t.Parallel()
	path := tool(t, "E2E_OTELCOL")
	for name, files := range collectorFiles {
		cmd := exec.Command(path, append([]string{"validate"}, files...)...)
		cmd.Env = vars{}.Environ()
		if out := output(t, cmd); out != "" {
			t.Errorf("%s: %s", name, out)
		}
	}
	for what, change := range map[string]string{
		"an unknown processor": "yaml:service::pipelines::traces::processors: [nothing]",
		"an unknown key":       "yaml:processors::tail_sampling::wait: 10s",
	} {
		cmd := exec.Command(path, append([]string{"validate"}, collectorFiles["tail sampling"]...)...)
		cmd.Args = append(cmd.Args, "--config", change)
		cmd.Env = vars{}.Environ()
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Errorf("%s is accepted: %s", what, out)
		}
	}
}

// startCollector starts a Collector that forwards traces to an address. Its arguments name files in
// deploy/otel-collector. It returns the URL that accepts traces over HTTP.
func startCollector(t *testing.T, to string, arguments ...string) string {
	t.Helper()
	path := tool(t, "E2E_OTELCOL")
	address, metrics := testbed.LastingAddress(t), testbed.LastingAddress(t)
	_, port, _ := strings.Cut(metrics, ":")
	cmd := exec.Command(path, arguments...)
	cmd.Env = vars{
		"OTLP_GRPC": testbed.LastingAddress(t), "OTLP_HTTP": address, "METRICS_PORT": port, "JAEGER_OTLP": to,
		"JAEGER_INSECURE": "true",
	}.Environ()
	p := testbed.Start(t, cmd)
	testbed.Eventually(t, "the Collector", bound, func() bool {
		if p.Ended() {
			t.Fatal("the Collector ended instead of running")
		}
		code, _ := testbed.Get("http://" + metrics + "/metrics")
		return code == http.StatusOK
	})
	return "http://" + address + "/v1/traces"
}

// TestTailSampling checks that the Collector keeps the traces of an incident and of an operator's change, and few of
// the other polls.
func TestTailSampling(t *testing.T) {
	t.Parallel()
	r := startReceiver(t, "grpc", testbed.LastingAddress(t))
	files := append(collectorFiles["tail sampling"], "--config", "yaml:processors::tail_sampling::decision_wait: 1s")
	s := startShard(t, vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": startCollector(t, r.address, files...)})
	s.awaitProbes(t, 200, "ok")
	s.jicofo("code 503")
	s.Becomes(t, "down ready 100%")
	id := s.incident(t)
	s.awaitProbes(t, 5, "http_error")
	s.jicofo("healthy")
	s.Becomes(t, "up ready 100%")
	failing := s.probes("jicofo_health", "http_error")
	s.Say(t, "drain")
	s.Becomes(t, "up drain 0%")
	s.awaitProbes(t, 20, "ok")
	all := s.probes("prosody", "ok")
	s.Stop(t, syscall.SIGTERM)

	// count returns the number of received spans with this name and this incident.
	count := func(name, incident string) (n int) {
		for _, span := range r.spans() {
			if of, _ := span.attributes["incident.id"].(string); span.name == name && of == incident {
				n++
			}
		}
		return n
	}
	testbed.Eventually(t, "the incident's traces", bound, func() bool {
		return count("verdict down", id) == 1 && count("verdict ready", id) == 1 &&
			count("probe jicofo_health", id) >= failing
	})
	testbed.Eventually(t, "the operator's change", bound, func() bool { return count("verdict drain", "") == 1 })
	if quiet := count("poll prosody", ""); quiet > all/4 {
		t.Errorf("%d of %d polls of prosody were kept, all of them quiet", quiet, all)
	}
}
