package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// fleetConfig is a configuration of Prometheus with the rules of deploy/prometheus, and targets with the same labels as
// there.
const fleetConfig = `
global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}
rule_files: [%q]
scrape_configs:
  - job_name: signal-sidecar
    static_configs:
      - {targets: [%q], labels: {environment: test, region: here, shard: first}}
      - {targets: [%q], labels: {environment: test, region: here, shard: second}}
  - job_name: haproxy
    static_configs:
      - {targets: [%q], labels: {environment: test, region: here}}
`

// fleet is two shards with all features on, HAProxy in front of them, and a Prometheus that scrapes all of them. The
// jicofo of each shard failed and recovered; the second shard's jicofo then failed again.
type fleet struct {
	first, second *shard
	prometheus    string // address
}

func startObservedFleet(t *testing.T) *fleet {
	t.Helper()
	testbed.Component(t, "prometheus")
	testbed.Component(t, "haproxy")
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	t.Cleanup(sink.Close)
	f := new(fleet)
	var agents []agentOf
	for name, s := range map[string]**shard{"first": &f.first, "second": &f.second} {
		*s = startShard(t, vars{
			"CENSUS_POLL": "true", "CENSUS_HOST": signalnode.Domain,
			"TCP_HOLD_PORT": "0", "RECORD_PATH": filepath.Join(t.TempDir(), "recording"),
			"OTEL_EXPORTER_OTLP_ENDPOINT": sink.URL, "OTEL_METRIC_EXPORT_INTERVAL": "200", "OTEL_BSP_SCHEDULE_DELAY": "100",
		})
		service := strings.TrimPrefix((*s).Prosody.Origin(), "http://")
		agents = append(agents, agentOf{name, service, (*s).Held, name, ""})
	}
	metrics := testbed.LastingAddress(t)
	startHAProxyWith(t, haproxyOptions{metrics: metrics, timeoutCheck: "10s"}, agents...)
	rules, err := filepath.Abs("../../deploy/prometheus/rules")
	testbed.Must(t, err)
	config := fmt.Sprintf(fleetConfig, rules+"/*.yml", f.first.HTTP, f.second.HTTP, metrics)
	// With native-histograms Prometheus scrapes protobuf; rules and panels need the classic buckets there too.
	f.prometheus = testbed.StartPrometheus(t, config, "--enable-feature=exemplar-storage,native-histograms")
	f.fail(t)
	return f
}

// fail makes each jicofo fail and recover while Prometheus scrapes, and then the second one fail again.
func (f *fleet) fail(t *testing.T) {
	t.Helper()
	for _, s := range []*shard{f.first, f.second} {
		s.SetLoad(10, 3)
		s.becomes(t, "up ready 100%")
		testbed.Eventually(t, "a scrape", bound, func() bool {
			return len(query(f.prometheus, `shard:signal_haproxy_state:bool{state="UP"} == 1`)) == 2
		})
		s.jicofo("code 503")
		s.becomes(t, "down ready 100%")
		testbed.Eventually(t, "a scrape of it", bound, func() bool {
			return len(query(f.prometheus, `signal_health == 0`)) == 1
		})
		s.jicofo("healthy")
		s.becomes(t, "up ready 100%")
	}
	f.second.jicofo("code 503")
	f.second.becomes(t, "down ready 100%")
}

// TestDashboardAndRules checks the files of deploy/ with a Prometheus that scrapes real sidecars and HAProxy.
func TestDashboardAndRules(t *testing.T) {
	t.Parallel()
	f := startObservedFleet(t)
	t.Run("dashboard", f.checkDashboard)
	t.Run("rules", f.checkRules)
	t.Run("agreement", f.checkAgreement)
}

// checkDashboard runs Grafana's queries of every panel, annotation and variable.
func (f *fleet) checkDashboard(t *testing.T) {
	d := readDashboard(t)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			expression := grafana.Replace(target.Expr)
			testbed.Eventually(t, fmt.Sprintf("data in panel %q: %s", p.Title, expression), bound, func() bool {
				if target.Instant {
					return f.shows("/api/v1/query", url.Values{"query": {expression}})
				}
				return f.shows("/api/v1/query_range", lately(url.Values{"query": {expression}, "step": {"1"}}))
			})
			if target.Exemplar {
				testbed.Eventually(t, fmt.Sprintf("an exemplar in panel %q: %s", p.Title, expression), bound, func() bool {
					_, body := testbed.Get("http://" + f.prometheus + "/api/v1/query_exemplars?" +
						lately(url.Values{"query": {expression}}).Encode())
					return strings.Contains(body, `"trace_id":"`)
				})
			}
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			testbed.Eventually(t, fmt.Sprintf("annotations %q", a.Name), bound, func() bool {
				return f.shows("/api/v1/query_range", lately(url.Values{"query": {grafana.Replace(a.Expr)}, "step": {"1"}}))
			})
		}
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			f.checkVariable(t, v.Name, v.Definition)
		}
	}
}

// grafana replaces Grafana's variables with values: all shards in the form that Grafana uses for several values, and
// intervals that suit few samples.
var grafana = strings.NewReplacer("$environment", ".*", "$region", "here", "$shard", "(first|second)", "$probe", ".*",
	"$__rate_interval", "30s", "$__interval", "1s")

// checkVariable checks that a variable of the form label_values(series, label) has values.
func (f *fleet) checkVariable(t *testing.T, name, definition string) {
	t.Helper()
	m := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(grafana.Replace(definition))
	if m == nil {
		t.Fatalf("variable %s: %s", name, definition)
	}
	_, body := testbed.Get("http://" + f.prometheus + "/api/v1/label/" + m[2] + "/values?" +
		url.Values{"match[]": {m[1]}}.Encode())
	var answer struct{ Data []string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Data) == 0 {
		t.Errorf("variable %s has no values: %s", name, body)
	}
}

// lately adds a range of the last minutes to a query.
func lately(v url.Values) url.Values {
	stamp := func(d time.Duration) string { return time.Now().Add(d).Format(time.RFC3339) }
	v["start"], v["end"] = []string{stamp(-5 * time.Minute)}, []string{stamp(time.Second)}
	return v
}

// shows reports whether the result of a query contains a number.
func (f *fleet) shows(path string, question url.Values) bool {
	_, body := testbed.Get("http://" + f.prometheus + path + "?" + question.Encode())
	var answer struct {
		Data struct {
			Result []struct {
				Value  []any
				Values [][]any
			}
		}
	}
	if json.Unmarshal([]byte(body), &answer) != nil {
		return false
	}
	for _, series := range answer.Data.Result {
		for _, point := range append(series.Values, series.Value) {
			if len(point) == 2 && point[1] != "NaN" {
				return true
			}
		}
	}
	return false
}

// dashboardFile is the part of Grafana's JSON that the tests use.
type dashboardFile struct {
	Panels []struct {
		Title   string
		Targets []struct {
			Expr              string
			Instant, Exemplar bool
		}
	}
	Annotations struct{ List []struct{ Name, Expr string } }
	Templating  struct {
		List []struct{ Name, Type, Definition string }
	}
}

func readDashboard(t *testing.T) (d dashboardFile) {
	t.Helper()
	content, err := os.ReadFile("../../deploy/grafana/dashboards/signal-sidecar.json")
	testbed.Must(t, err)
	testbed.Must(t, json.Unmarshal(content, &d))
	if len(d.Panels) == 0 || len(d.Annotations.List) == 0 || len(d.Templating.List) == 0 {
		t.Fatalf("the dashboard has %d panels, %d annotations and %d variables",
			len(d.Panels), len(d.Annotations.List), len(d.Templating.List))
	}
	return d
}

// checkRules checks that Prometheus evaluates the rules of deploy/prometheus without an error, that each recording rule
// has series, and that the alert on the shard that is down is pending.
func (f *fleet) checkRules(t *testing.T) {
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Type, Health, LastError string }
			}
		}
	}
	testbed.Eventually(t, "all rules to be evaluated", bound, func() bool {
		_, body := testbed.Get("http://" + f.prometheus + "/api/v1/rules")
		return json.Unmarshal([]byte(body), &answer) == nil &&
			len(answer.Data.Groups) > 0 && !strings.Contains(body, `"health":"unknown"`)
	})
	kinds := map[string]int{}
	for _, group := range answer.Data.Groups {
		for _, r := range group.Rules {
			kinds[r.Type]++
			if r.Health != "ok" || r.LastError != "" {
				t.Errorf("rule %s: %s %s", r.Name, r.Health, r.LastError)
			}
			if r.Type == "recording" {
				testbed.Eventually(t, r.Name, bound, func() bool { return len(query(f.prometheus, r.Name)) > 0 })
			}
		}
	}
	if kinds["alerting"] < 20 || kinds["recording"] < 10 {
		t.Errorf("the rules are %v", kinds)
	}
	testbed.Eventually(t, "the alert on the second shard", bound, func() bool {
		return len(query(f.prometheus,
			`ALERTS{alertname="SignalShardDown",alertstate="pending",environment="test",region="here",shard="second"}`)) == 1
	})
	testbed.Eventually(t, "the alert to name the reason", bound, func() bool {
		_, body := testbed.Get("http://" + f.prometheus + "/api/v1/alerts")
		return strings.Contains(body,
			"second (test, here) has been down for a minute, and HAProxy sends its users to other shards. Reasons: jicofo_overloaded.")
	})
}

// checkAgreement takes the first shard through its states. It checks that the rules and HAProxy's metrics have the same
// state, for servers with a check and for servers with only an agent.
func (f *fleet) checkAgreement(t *testing.T) {
	const theirs = `label_replace(max by (proxy, server, state) (haproxy_server_status) == 1, "shard", "$1", "server", "(.+)")`
	for _, step := range []struct {
		word, jicofo, state string
	}{
		{"drain", "healthy", "DRAIN"}, {"maint", "healthy", "MAINT"},
		{"maint", "code 500", "MAINT"}, {"ready", "code 500", "DOWN"},
		{"drain", "code 500", "DOWN"}, {"ready", "healthy", "UP"}, {"nonsense", "healthy", "DRAIN"},
	} {
		f.first.jicofo(step.jicofo)
		f.first.Say(t, step.word)
		testbed.Eventually(t, fmt.Sprintf("both sides to have %s for %s with jicofo %s", step.state, step.word, step.jicofo),
			bound, func() bool {
				ours := query(f.prometheus, fmt.Sprintf(`shard:signal_haproxy_state:bool{shard="first",state=%q} == 1`, step.state))
				both := query(f.prometheus, theirs+` and on (shard, state) (shard:signal_haproxy_state:bool{shard="first"} == 1)`)
				return len(ours) == 1 && len(both) == 2
			})
	}
}
