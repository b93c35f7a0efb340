package e2e

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// prometheus is a running Prometheus that scrapes one sidecar; api is the URL of its API.
type prometheus struct{ api string }

const prometheusConfig = `
global: {scrape_interval: 300ms}
scrape_configs: [{job_name: signal-sidecar, static_configs: [{targets: [%q]}]}]
`

func startPrometheus(t *testing.T, target string) *prometheus {
	t.Helper()
	address := testbed.StartPrometheus(t, fmt.Sprintf(prometheusConfig, target), "--enable-feature=exemplar-storage")
	return &prometheus{"http://" + address + "/api/v1"}
}

// sample is one series of an instant query.
type sample struct {
	Metric map[string]string
	Value  []any
}

func (p *prometheus) query(t *testing.T, expression string) []sample {
	t.Helper()
	var found struct{ Data struct{ Result []sample } }
	getJSON(t, p.api+"/query", url.Values{"query": {expression}}, &found)
	return found.Data.Result
}

// exemplars returns the trace ids of the exemplars of a series.
func (p *prometheus) exemplars(t *testing.T, expression string) (traces []string) {
	t.Helper()
	var found struct {
		Data []struct {
			Exemplars []struct{ Labels map[string]string }
		}
	}
	stamp := func(d time.Duration) string { return time.Now().Add(d).Format(time.RFC3339) }
	getJSON(t, p.api+"/query_exemplars",
		url.Values{"query": {expression}, "start": {stamp(-time.Hour)}, "end": {stamp(time.Hour)}}, &found)
	for _, series := range found.Data {
		for _, exemplar := range series.Exemplars {
			if id := exemplar.Labels["trace_id"]; id != "" {
				traces = append(traces, id)
			}
		}
	}
	return traces
}
