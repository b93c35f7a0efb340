package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// prometheus is a running Prometheus that scrapes one sidecar; api is the URL of its API.
type prometheus struct{ api string }

func startPrometheus(t *testing.T, features, target string) *prometheus {
	t.Helper()
	path := testbed.Component(t, "prometheus")
	folder, address := t.TempDir(), testbed.LastingAddress(t)
	config := filepath.Join(folder, "prometheus.yml")
	testbed.Must(t, os.WriteFile(config, fmt.Appendf(nil,
		"global: {scrape_interval: 300ms}\nscrape_configs: [{job_name: signal-sidecar, static_configs: [{targets: [%q]}]}]\n", target), 0o644))
	cmd := exec.Command(path, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(folder, "data"),
		"--web.listen-address="+address, "--enable-feature="+features)
	cmd.Dir, cmd.Env = folder, vars{}.Environ()
	p := testbed.Start(t, cmd)
	testbed.Eventually(t, "Prometheus to be ready", bound, func() bool {
		if p.Ended() {
			t.Fatal("Prometheus ended instead of running")
		}
		code, _ := testbed.Get("http://" + address + "/-/ready")
		return code == http.StatusOK
	})
	return &prometheus{"http://" + address + "/api/v1"}
}

// sample is one series of an instant query; Histogram is that of a native one.
type sample struct {
	Metric    map[string]string
	Value     []any
	Histogram []any
}

func (p *prometheus) query(t *testing.T, expression string) []sample {
	t.Helper()
	var found struct{ Data struct{ Result []sample } }
	getJSON(t, p.api+"/query", url.Values{"query": {expression}}, &found)
	return found.Data.Result
}

// exemplars are the trace ids of the exemplars of a series.
func (p *prometheus) exemplars(t *testing.T, expression string) (traces []string) {
	t.Helper()
	var found struct {
		Data []struct {
			Exemplars []struct{ Labels map[string]string }
		}
	}
	stamp := func(d time.Duration) string { return time.Now().Add(d).Format(time.RFC3339) }
	getJSON(t, p.api+"/query_exemplars", url.Values{"query": {expression}, "start": {stamp(-time.Hour)}, "end": {stamp(time.Hour)}}, &found)
	for _, series := range found.Data {
		for _, exemplar := range series.Exemplars {
			if id := exemplar.Labels["trace_id"]; id != "" {
				traces = append(traces, id)
			}
		}
	}
	return traces
}
