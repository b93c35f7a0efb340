package main_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestTolerance restarts both services within UNREACHABLE_TOLERANCE. The verdict never changes, and the metrics, status
// and the page show the tolerance.
func TestTolerance(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"POLLING_INTERVAL": "60", "UNREACHABLE_TOLERANCE": "60"})
	s.becomes(t, "up ready 100%")
	url := []string{"--url", "http://" + s.HTTP}
	for name, service := range map[string]interface {
		Crash() error
		Recover() error
	}{"jicofo": s.Jicofo, "prosody": s.Prosody} {
		series := `signal_tolerated{service="` + name + `"}`
		testbed.Must(t, service.Crash())
		testbed.Eventually(t, "the metric of "+name, bound, func() bool { return s.Metric(series) == "1" })
		wantStatus(t, name+" is tolerated", nil, url, saysUp, "up ready 100%",
			"  tolerated  "+name+" does not accept connections at .*, since "+moment+", until "+moment, becomes("(down ready 100|up drain 0)%"))
		if code, page := testbed.Get("http://" + s.HTTP + "/"); code != http.StatusOK ||
			!strings.Contains(page, "tolerated for") {
			t.Errorf("the page, %d, does not show that %s is tolerated", code, name)
		}
		testbed.Must(t, service.Recover())
		testbed.Eventually(t, name+" to be back", bound, func() bool { return s.Metric(series) == "0" })
	}
	s.becomes(t, "up ready 100%")
	s.changes(t, 1)
	if s.Metric("signal_unhealthy_total") != "0" {
		t.Errorf("signal_unhealthy_total is %s", s.Metric("signal_unhealthy_total"))
	}
}

// TestToleranceEnds checks that a service that does not recover becomes unreachable when the tolerance ends, not at the
// next poll.
func TestToleranceEnds(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"POLLING_INTERVAL": "60", "UNREACHABLE_TOLERANCE": "0.3"})
	s.becomes(t, "up ready 100%")
	testbed.Must(t, s.Prosody.Crash())
	s.becomes(t, "down ready 100%")
	testbed.Eventually(t, "the reason with the time of the first failure", bound, func() bool {
		_, body := testbed.Get("http://" + s.HTTP + "/signal/explain")
		return strings.Contains(body, "prosody_unreachable") && strings.Contains(body, "(first at ")
	})
	testbed.Must(t, s.Prosody.Recover())
	s.becomes(t, "up ready 100%")
	s.changes(t, 3)
}
