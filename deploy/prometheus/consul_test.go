package prometheus_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// consulBlock returns the lines for Consul discovery, which are a comment in prometheus.yml, from a key on.
func consulBlock(t *testing.T, from string) string {
	t.Helper()
	_, block, found := strings.Cut(contents(t, "prometheus.yml"), "  #   "+from)
	if !found {
		t.Fatalf("prometheus.yml has no %s for Consul", from)
	}
	block, _, _ = strings.Cut("  #   "+from+block, "\n\n")
	return strings.ReplaceAll(block, "  #   ", "    ")
}

// TestPrometheusRelabelsConsul gives Prometheus the labels that Consul discovery would set, because Debian's Prometheus
// has no Consul discovery.
func TestPrometheusRelabelsConsul(t *testing.T) {
	t.Parallel()
	const meta = "__meta_consul_service_metadata_"
	const metaIP, metaPort = meta + "signal_sidecar_http_ip", meta + "signal_sidecar_http_port"
	targets := []string{}
	add := func(shard string, labels map[string]string) {
		all := map[string]string{
			"__meta_consul_dc": "dc1", "__meta_consul_address": "10.0.0.1", "__meta_consul_service_address": "",
			meta + "environment": "prod", meta + "shard": shard,
		}
		maps.Copy(all, labels)
		text, err := json.Marshal(all)
		testbed.Must(t, err)
		targets = append(targets, `{targets: ["`+shard+`:1"], labels: `+string(text)+"}")
	}
	add("node", nil)
	add("service", map[string]string{"__meta_consul_service_address": "10.0.0.2"})
	add("ip", map[string]string{metaIP: "10.0.0.3"})
	add("ip-port", map[string]string{metaIP: "10.0.0.4", metaPort: "7000"})
	add("port", map[string]string{"__meta_consul_service_address": "10.0.0.5", metaPort: "7001"})
	address := testbed.StartPrometheus(t, "global: {scrape_interval: 1h}\nscrape_configs:\n  - job_name: signal-sidecar\n"+
		"    static_configs: ["+strings.Join(targets, ", ")+"]\n"+consulBlock(t, "relabel_configs:"))
	want := map[string]string{
		"node": "10.0.0.1:6000", "service": "10.0.0.2:6000", "ip": "10.0.0.3:6000",
		"ip-port": "10.0.0.4:7000", "port": "10.0.0.5:7001",
	}
	var got map[string]string
	testbed.Eventually(t, "Prometheus to have its targets", testbed.Bound, func() bool {
		code, text := testbed.Get("http://" + address + "/api/v1/targets")
		var reply struct {
			Data struct {
				ActiveTargets []struct{ Labels map[string]string }
			}
		}
		if code != 200 || json.Unmarshal([]byte(text), &reply) != nil {
			return false
		}
		got = map[string]string{}
		for _, target := range reply.Data.ActiveTargets {
			l := target.Labels
			if l["environment"] == "prod" && l["region"] == "dc1" {
				got[l["shard"]] = l["instance"]
			}
		}
		return len(got) == len(want)
	})
	if !maps.Equal(got, want) {
		t.Errorf("targets %v, want %v", got, want)
	}
}
