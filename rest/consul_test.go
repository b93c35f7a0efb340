package rest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestConsul checks what /signal/explain and the page show of Consul.
func TestConsul(t *testing.T) {
	at := new(health.Time(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
	for _, c := range []struct {
		status  *Consul
		reports *ConsulReports
		explain string   // part of the explanation
		page    []string // parts of the page
	}{
		{nil, nil, `"next":null}`, nil},
		{&Consul{Key: "key"}, nil, `"consul":{"key":"key","value":null,"changed":null,"differs":false}`,
			[]string{"wanted in Consul", "not known yet", "key"}},
		{&Consul{Key: "key", Changed: at, Problem: "there is no such key"}, nil,
			`"consul":{"key":"key","value":null,"changed":"2026-01-02T03:04:05.000Z","differs":false,"problem":"there is no such key"}`,
			[]string{"no such key", "there is no such key"}},
		{&Consul{Key: "key", Value: new("READY\n"), Changed: at}, nil,
			`"value":"READY\n","changed":"2026-01-02T03:04:05.000Z","differs":false`, []string{"wanted in Consul: ready."}},
		{&Consul{Key: "key", Value: new("drain"), Changed: at}, &ConsulReports{Key: "report"}, `"differs":true`,
			[]string{"wanted in Consul: drain.", "the status file differs from key", "report in Consul: not put yet."}},
		{&Consul{Key: "key", Value: new("nonsense"), Changed: at}, &ConsulReports{Key: "report", Put: at}, `"differs":false`,
			[]string{"wanted in Consul: nonsense.", "report in Consul: published."}},
		{nil, &ConsulReports{Key: "report", Put: at, Problem: "Consul answered 403", Error: "PUT: answered 403"},
			`"consulReports":{"key":"report","put":"2026-01-02T03:04:05.000Z","problem":"Consul answered 403",` +
				`"error":"PUT: answered 403"}`, []string{"Consul answered 403"}},
	} {
		r := startServer(t, setup{consul: func() (*Consul, *ConsulReports) { return c.status, c.reports }})
		r.node.enter(t, "up")
		explanation, page := r.ask(t, "GET", "/signal/explain").body, r.ask(t, "GET", "/").body
		if !strings.Contains(explanation, c.explain) {
			t.Errorf("explained %s, want %s", explanation, c.explain)
		}
		for _, want := range c.page {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not contain %q", want)
			}
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(explanation))
		if err != nil {
			t.Fatal(err)
		}
		readDescription(t).validate(t, "#/components/schemas/Explanation", value)
		var e Explanation
		if err := json.Unmarshal([]byte(explanation), &e); err != nil {
			t.Fatal(err)
		}
	}
}
