package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// registered returns an instance of service signal in the form of Consul's API.
func registered(datacenter, address string, meta map[string]string) map[string]any {
	return map[string]any{
		"Node": map[string]any{"Node": meta["shard"], "Address": address, "Datacenter": datacenter},
		"Service": map[string]any{"ID": "signal-" + meta["shard"], "Service": "signal", "Address": address, "Port": 6000,
			"Meta": meta},
		"Checks": []any{map[string]any{"CheckID": "signal-sidecar", "Status": "critical"}}, // the template must ignore it
	}
}

// metas returns the metadata of a shard, with changes.
func metas(shard string, changes map[string]string) map[string]string {
	all := map[string]string{
		"environment": "prod", "domain": "meet.example.com", "shard": shard, "shard_id": "1", "release_number": "1",
		"http_backend_port": "443", "signal_sidecar_agent_port": "6060", "signal_sidecar_http_port": "6000",
	}
	for key, value := range changes {
		all[key] = value
	}
	return all
}

// startCatalog serves the part of Consul's API from which consul-template reads services.
func startCatalog(t *testing.T, instances map[string][]map[string]any) *httptest.Server {
	t.Helper()
	answer := func(w http.ResponseWriter, of any) {
		w.Header().Set("X-Consul-Index", "1")
		w.Header().Set("X-Consul-KnownLeader", "true")
		_ = json.NewEncoder(w).Encode(of)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/catalog/datacenters", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, []string{"dc1", "dc2"})
	})
	mux.HandleFunc("GET /v1/health/service/signal", func(w http.ResponseWriter, r *http.Request) {
		answer(w, instances[r.URL.Query().Get("dc")])
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// render runs the template once.
func render(t *testing.T, catalog string, settings vars) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "shards.cfg")
	cmd := exec.Command(tool(t, "E2E_CONSUL_TEMPLATE"), "-once", "-consul-addr", catalog,
		"-template", "../deploy/consul-template/haproxy.cfg.ctmpl:"+path)
	cmd.Env = vars{"ENVIRONMENT": "prod", "DATACENTER": "dc1"}.With(settings).Environ()
	output(t, cmd)
	return path
}

// TestConsulTemplate renders the backend of shards in two datacenters, which both have a shard prod-1. Some instances are
// registered wrongly or twice.
// HAProxy then checks the result.
func TestConsulTemplate(t *testing.T) {
	t.Parallel()
	haproxy := testbed.Component(t, "haproxy")
	catalog := startCatalog(t, map[string][]map[string]any{
		"dc1": {
			registered("dc1", "10.1.0.1",
				metas("prod-1", map[string]string{"signal_sidecar_http_ip": "10.1.0.101", "signal_sidecar_agent_port": "26060"})),
			registered("dc1", "10.1.0.2", metas("prod-2", map[string]string{"http_backend_port": "8443"})),
			registered("dc1", "10.1.0.3", metas("stage-1", map[string]string{"environment": "stage"})),
			registered("dc1", "10.1.0.4", metas("other-1", map[string]string{"domain": "other.example.com"})),
			registered("dc1", "10.1.0.5", metas("no-port", map[string]string{"signal_sidecar_agent_port": ""})),
			registered("dc1", "10.1.0.6", metas("evil 10.6.6.6:80\n  server worse", nil)),
			registered("dc1", "10.1.0.7", metas("bad-ip", map[string]string{"signal_sidecar_http_ip": "10.0.0.1 backup"})),
			registered("dc1", "10.1.0.8", metas("no-ip", map[string]string{"signal_sidecar_http_ip": "10.0.0.1.5"})),
			registered("dc1", "10.1.0.9", metas("high-port", map[string]string{"http_backend_port": "65536"})),
			registered("dc1", "10.1.0.10", metas("no-agent", map[string]string{"signal_sidecar_agent_port": "0"})),
			registered("dc1", "10.1.0.11", metas("prod-2", nil)),
		},
		"dc2": {registered("dc2", "10.2.0.1", metas("prod-9", nil)), registered("dc2", "10.2.0.2", metas("prod-1", nil))},
	})
	for name, tt := range map[string]struct {
		settings vars
		want     []string
	}{
		"a domain": {vars{"DOMAIN": "meet.example.com"}, []string{
			"server bad-ip 10.1.0.7:443 agent-port 6060",
			"server no-ip 10.1.0.8:443 agent-port 6060",
			"server prod-1 10.1.0.1:443 agent-port 26060 agent-addr 10.1.0.101",
			"server prod-2 10.1.0.2:8443 agent-port 6060",
			"server prod-1.dc2 10.2.0.2:443 agent-port 6060 backup",
			"server prod-9 10.2.0.1:443 agent-port 6060 backup",
		}},
		"another domain": {vars{"DOMAIN": "other.example.com"}, []string{"server other-1 10.1.0.4:443 agent-port 6060"}},
		"from elsewhere": {vars{"DOMAIN": "meet.example.com", "DATACENTER": "dc2"}, []string{
			"server bad-ip 10.1.0.7:443 agent-port 6060 backup",
			"server no-ip 10.1.0.8:443 agent-port 6060 backup",
			"server prod-1.dc1 10.1.0.1:443 agent-port 26060 agent-addr 10.1.0.101 backup",
			"server prod-2 10.1.0.2:8443 agent-port 6060 backup",
			"server prod-1 10.2.0.2:443 agent-port 6060",
			"server prod-9 10.2.0.1:443 agent-port 6060",
		}},
		"nobody": {vars{"ENVIRONMENT": "elsewhere"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := render(t, catalog.URL, tt.settings)
			content, err := os.ReadFile(path)
			testbed.Must(t, err)
			var got []string
			for line := range strings.Lines(string(content)) {
				if words := strings.Join(strings.Fields(line), " "); strings.HasPrefix(words, "server ") {
					got = append(got, words)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("rendered %q\nwant %q", got, tt.want)
			}
			check := exec.Command(haproxy, "-c", "-f", "../deploy/haproxy/haproxy.cfg", "-f", path)
			check.Env = vars{"SHARDS": "consul"}.Environ()
			if out := output(t, check); out != "Configuration file is valid\n" {
				t.Errorf("%s", out)
			}
		})
	}
}
