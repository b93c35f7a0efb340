package main_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestFailures lets the services fail and recover, without flap mitigation.
func TestFailures(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"PROBE_TIMEOUT": "0.5"})
	for i, step := range []struct {
		name           string
		fail           func()
		line           string
		probe, outcome string
	}{
		{"jicofo crash", func() { testbed.Must(t, s.Jicofo.Crash()) }, "down ready 100%",
			"jicofo_health", "connection_refused"},
		{"jicofo hang", func() { s.jicofo("hang") }, "down ready 100%", "jicofo_health", "timeout"},
		{"jicofo 503", func() { s.jicofo("code 503") }, "down ready 100%", "jicofo_health", "http_error"},
		{"jicofo stats 500", func() {
			s.Jicofo.Set("/stats", signalnode.MustParseBehavior("code 500"))
		}, "down ready 100%", "jicofo_stats", "http_error"},
		{"prosody crash", func() { testbed.Must(t, s.Prosody.Crash()) }, "down ready 100%", "prosody", "connection_refused"},
		{"prosody hang", func() { s.prosody("hang") }, "down ready 100%", "prosody", "timeout"},
		{"prosody 404", func() { s.prosody("code 404") }, "down ready 100%", "prosody", "http_error"},
	} {
		s.becomes(t, "up ready 100%")
		step.fail()
		s.becomes(t, step.line)
		s.polls(t, 1, map[string]string{step.probe: step.outcome})
		s.changes(t, 2*i+2)
		if s.Metric(fmt.Sprintf("signal_probe_success{probe=%q}", step.probe)) != "0" {
			t.Errorf("%s: the metrics say that the probe succeeded", step.name)
		}
		testbed.Must(t, s.Jicofo.Recover())
		testbed.Must(t, s.Prosody.Recover())
	}
	s.becomes(t, "up ready 100%")
}

// TestMitigation checks the grace interval and the dampening in the log and the metrics.
func TestMitigation(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"HEALTH_DAMPENING_INTERVAL": "1.5", "DRAIN_GRACE_INTERVAL": "2", "POLLING_INTERVAL": "0.05"})
	s.becomes(t, "up ready 100%")
	s.jicofo("code 503")
	testbed.Eventually(t, "the whole story in the log", bound, func() bool {
		if len(s.Logged("verdict changed", "to", "down ready 100%", "damped", "false")) > 0 {
			s.jicofo("healthy")
		}
		return len(s.Logged("verdict changed", "from", "down ready 100%", "to", "up ready 100%")) > 0
	})
	want := []testbed.Entry{
		{"to": "up ready 100%", "damped": false},
		{"to": "up drain 0%", "damped": true},
		{"to": "down ready 100%", "damped": false},
		{"to": "down ready 100%", "damped": true},
		{"to": "up ready 100%", "damped": false},
	}
	got := s.Logged("verdict changed")
	for i, e := range got {
		if i >= len(want) || e["to"] != want[i]["to"] || e["damped"] != want[i]["damped"] {
			t.Fatalf("change %d of the verdict is %v", i, e)
		}
		if _, has := e["until"]; has != (e["damped"] == true) {
			t.Errorf("change %d: %v", i, e)
		}
	}
	if s.Metric("signal_unhealthy_total") != "1" {
		t.Errorf("signal_unhealthy_total is %s after one episode", s.Metric("signal_unhealthy_total"))
	}
}

func TestParticipants(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"WEIGHT_PARTICIPANTS": "on", "PARTICIPANT_MAX": "100"})
	for _, step := range []struct {
		participants int
		line         string
	}{
		{0, "up ready 100%"},
		{50, "up ready 50%"},
		{52, "up ready 50%"},
		{53, "up ready 45%"},
		{99, "up ready 1%"},
		{100, "up ready 1%"},
		{101, "up drain 0%"},
		{100, "up ready 1%"},
		{10, "up ready 90%"},
	} {
		s.SetLoad(step.participants, 1)
		s.becomes(t, step.line)
	}
	s.Say(t, "maint")
	s.becomes(t, "up maint 0%")
	s.SetLoad(101, 1)
	testbed.Eventually(t, "the load to arrive", bound, func() bool {
		r := s.report(t)
		return r.Stats.JicofoParticipants != nil && *r.Stats.JicofoParticipants == 101
	})
	s.becomes(t, "up maint 0%") // too many participants do not end maintenance
}

// TestCensus makes the census fail in many ways. The verdict does not change.
func TestCensus(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"CENSUS_POLL": "yes", "CENSUS_HOST": signalnode.Domain, "PROBE_TIMEOUT": "5"})
	s.SetRooms([]signalnode.Room{
		{Name: "a", Participants: 3, CreatedTime: "1"}, {Name: "b", Participants: 4, CreatedTime: 2},
	})
	census := "http://" + s.HTTP + "/signal/census"
	good := `{"room_census":[{"room_name":"a","participants":3,"created_time":"1"},{"room_name":"b","participants":4,"created_time":2}]}`
	expect := func(code int, body string) {
		t.Helper()
		testbed.Eventually(t, fmt.Sprintf("the census to be %d %s", code, body), bound, func() bool {
			gotCode, got := testbed.Get(census)
			return gotCode == code && got == body
		})
	}
	expect(http.StatusOK, good)
	if _, asked := s.Prosody.Requests("/room-census"); asked[0].Host != signalnode.Domain {
		t.Errorf("the census is asked of host %q", asked[0].Host)
	}
	if r := s.report(t); r.Stats.ReportCensusStats == nil ||
		*r.Stats.ProsodySumSquaredParticipants != 25 || *r.Stats.ProsodyParticipants != 7 {
		t.Errorf("the report with a census: %+v", r.Stats)
	}
	for _, step := range []struct{ behavior, outcome string }{
		{"code 400", "http_error"},
		{"notjson", "invalid_body"},
		{"huge", "body_too_large"},
	} {
		s.Prosody.Set("/room-census", signalnode.MustParseBehavior(step.behavior))
		expect(http.StatusServiceUnavailable, `{"room_census":null}`)
		s.polls(t, 2, map[string]string{"census": step.outcome})
		if s.Metric("signal_census") != "0" || s.Metric("prosody_participant_sum_squared") != "" {
			t.Errorf("%s: the metrics show a census", step.behavior)
		}
		s.becomes(t, "up ready 100%")
		s.Prosody.Set("/room-census", signalnode.Behavior{})
		expect(http.StatusOK, good)
	}
	s.Prosody.Set("/room-census", signalnode.MustParseBehavior(`body {"room_census":{}}`)) // no rooms
	expect(http.StatusOK, `{"room_census":[]}`)
	// The sidecar reads up to 32 MiB of a census that is too large.
	t.Logf("peak memory %d MiB", s.PeakMemory(t)>>20)
	if peak := s.PeakMemory(t); peak > 200<<20 {
		t.Errorf("the sidecar took %d MiB", peak>>20)
	}
}

// TestCensusOff requests what is not polled or is turned off.
func TestCensusOff(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"METRICS": "off"})
	s.becomes(t, "up ready 100%")
	for _, path := range []string{"/signal/census", "/metrics", "/nothing"} {
		if code, _ := testbed.Get("http://" + s.HTTP + path); code != http.StatusNotFound {
			t.Errorf("%s answers %d", path, code)
		}
	}
	if n, _ := s.Prosody.Requests("/room-census"); n > 0 {
		t.Errorf("the census was polled %d times", n)
	}
}
