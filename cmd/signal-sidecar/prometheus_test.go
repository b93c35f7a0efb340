package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

const prometheusConfig = `
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
  - job_name: sidecar
    static_configs: [{targets: [%q]}]
`

// query returns the values of the query's series by labels, which include the name of the metric.
func query(address, q string) map[string]string {
	_, body := testbed.Get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(q))
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if json.Unmarshal([]byte(body), &answer) != nil {
		return nil
	}
	all := map[string]string{}
	for _, series := range answer.Data.Result {
		delete(series.Metric, "instance")
		delete(series.Metric, "job")
		labels, _ := json.Marshal(series.Metric)
		all[string(labels)] = fmt.Sprint(series.Value[1])
	}
	return all
}

// TestPrometheus lets a real Prometheus scrape a shard from its start. The node is then drained, and its jicofo
// crashes, both for the first time. increase() shows both, because the counters were scraped as 0 before.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	testbed.Component(t, "prometheus")
	s := startShard(t, vars{"CENSUS_POLL": "true", "CENSUS_HOST": signalnode.Domain})
	s.SetRooms([]signalnode.Room{{Name: "a", Participants: 3}, {Name: "b", Participants: 4}})
	s.SetLoad(7, 2)
	prometheus := testbed.StartPrometheus(t, fmt.Sprintf(prometheusConfig, s.HTTP))
	expect := func(q string, series map[string]string) {
		t.Helper()
		var got map[string]string
		defer func() {
			if t.Failed() {
				t.Logf("%s is %v", q, got)
			}
		}()
		testbed.Eventually(t, fmt.Sprintf("%s to be %v", q, series), bound, func() bool {
			got = query(prometheus, q)
			for labels, value := range series {
				if got[labels] != value {
					return false
				}
			}
			return true
		})
	}
	one := func(q, value string) {
		t.Helper()
		expect(q, map[string]string{fmt.Sprintf(`{"__name__":%q}`, q): value})
	}

	one("up", "1")
	testbed.Eventually(t, "the target to be healthy", bound, func() bool {
		_, body := testbed.Get("http://" + prometheus + "/api/v1/targets?state=active")
		return strings.Contains(body, `"health":"up"`) && strings.Contains(body, `"lastError":""`)
	})
	for range 3 {
		if code := s.healthCode(); code != http.StatusOK {
			t.Errorf("/signal/health answers %d", code)
		}
	}
	one("signal_health", "1")
	one("signal_health_check", "3")
	one("signal_unhealthy_check", "0")
	one("signal_unhealthy_total", "0")
	one("signal_census", "1")
	one("prosody_participant_sum_squared", "25")
	one("signal_jicofo_participants", "7")
	one("signal_jicofo_conferences", "2")
	expect("signal_probe_success", map[string]string{
		`{"__name__":"signal_probe_success","probe":"jicofo_health"}`: "1",
		`{"__name__":"signal_probe_success","probe":"jicofo_stats"}`:  "1",
		`{"__name__":"signal_probe_success","probe":"prosody"}`:       "1",
		`{"__name__":"signal_probe_success","probe":"census"}`:        "1",
		`{"__name__":"signal_probe_success","probe":"status_file"}`:   "1",
	})

	const drains = `signal_verdict_changes_total{to="drain",reason="status_drain"}`
	const refusals = `signal_probe_results_total{probe="jicofo_health",outcome="connection_refused"}`
	shows := func(expression string) {
		t.Helper()
		testbed.Eventually(t, expression, bound, func() bool { return len(query(prometheus, expression)) == 1 })
	}
	shows(drains + " == 0")
	shows(refusals + " == 0")
	s.Say(t, "drain")
	shows("increase(" + drains + "[5m]) > 0")
	s.Say(t, "ready")

	testbed.Must(t, s.Jicofo.Crash())
	one("signal_health", "0")
	shows("increase(" + refusals + "[5m]) > 0")
	for range 2 {
		if code := s.healthCode(); code != http.StatusServiceUnavailable {
			t.Errorf("/signal/health answers %d", code)
		}
	}
	one("signal_health_check", "5")
	one("signal_unhealthy_check", "2")
	one("signal_unhealthy_total", "1")
	one("signal_census", "1")
	expect("signal_probe_success", map[string]string{
		`{"__name__":"signal_probe_success","probe":"jicofo_health"}`: "0",
		`{"__name__":"signal_probe_success","probe":"prosody"}`:       "1",
	})
	expect(`histogram_quantile(0.5, rate(signal_probe_duration_seconds_bucket{probe="prosody"}[1m])) < bool 5`,
		map[string]string{
			`{"probe":"prosody"}`: "1",
		})
	if got := query(prometheus, "signal_jicofo_participants"); len(got) > 0 {
		t.Errorf("participants of a dead jicofo: %v", got)
	}

	s.Prosody.Set("/room-census", signalnode.MustParseBehavior("notjson"))
	one("signal_census", "0")
}

// TestPromtool checks /metrics in several states with Prometheus's linter.
func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool := testbed.Component(t, "promtool")
	lint := func(state string, s *shard) {
		t.Helper()
		_, text := testbed.Get("http://" + s.HTTP + "/metrics")
		cmd := exec.Command(promtool, "check", "metrics")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: promtool check metrics: %v\n%s", state, err, out)
		}
		if !strings.Contains(text, "\nsignal_build_info{") || !strings.Contains(text, "\nsignal_health_check ") {
			t.Errorf("%s: no metrics:\n%s", state, text)
		}
	}
	plain := newShard(t, vars{"PROBE_TIMEOUT": "60"})
	plain.jicofo("hang")
	plain.start(t)
	lint("without a verdict", plain)
	plain.jicofo("healthy")
	plain.becomes(t, "up ready 100%")
	lint("up", plain)
	plain.jicofo("code 500")
	plain.becomes(t, "down ready 100%")
	lint("down", plain)

	census := startShard(t, vars{"CENSUS_POLL": "1", "CENSUS_HOST": signalnode.Domain})
	census.becomes(t, "up ready 100%")
	testbed.Eventually(t, "the census", bound, func() bool { return census.Metric("signal_census") == "1" })
	lint("up, with census", census)
	census.prosody("code 500")
	census.becomes(t, "down ready 100%")
	testbed.Eventually(t, "no census", bound, func() bool { return census.Metric("signal_census") == "0" })
	lint("down, with census", census)
}
