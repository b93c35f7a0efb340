package health_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// reportJSON returns the current report as indented JSON.
func reportJSON(t *testing.T, m *health.Monitor) string {
	t.Helper()
	text, err := json.MarshalIndent(m.Current().Report(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// observed returns a monitor that has observed these parts in this order, at a time with fractions of a second in
// another time zone.
func observed(cfg health.Config, n node, parts ...part) *health.Monitor {
	at := time.Date(2026, 3, 1, 14, 0, 5, 678_999_999, time.FixedZone("", 2*60*60))
	m := health.NewMonitor(cfg)
	for _, each := range parts {
		m.Observe(context.Background(), n.observe(each, at))
	}
	return m
}

// TestReport compares whole reports byte for byte. Spec section 5 fixes the keys, their spelling and order, the types
// and the nulls.
func TestReport(t *testing.T) {
	for _, c := range []struct {
		name   string
		census bool
		change func(*node)
		parts  []part
		want   string
	}{
		{"before anything was seen", false, nil, nil, `{
  "time": null,
  "healthy": false,
  "healthdamped": false,
  "status": "unknown",
  "weight": "0%",
  "agentmessage": "",
  "services": {
    "jicofoHealthy": false,
    "jicofoReachable": false,
    "jicofoSoftDown": false,
    "jicofoStatusCode": 0,
    "jicofoStatusContents": "",
    "jicofoStatsReachable": false,
    "jicofoStatsStatusCode": 0,
    "jicofoStatusStatusCode": 0,
    "prosodyHealthy": false,
    "prosodyReachable": false,
    "prosodySoftDown": false,
    "prosodyStatusCode": 0
  },
  "statuses": {
    "statusFileFound": false,
    "statusFileContents": ""
  },
  "stats": {
    "jicofoParticipants": null,
    "jicofoConferences": null
  }
}`},
		{"a part was seen, no verdict yet", true, nil, []part{partStatusFile}, `{
  "time": "2026-03-01T12:00:05.678Z",
  "healthy": false,
  "healthdamped": false,
  "status": "unknown",
  "weight": "0%",
  "agentmessage": "",
  "services": {
    "jicofoHealthy": false,
    "jicofoReachable": false,
    "jicofoSoftDown": false,
    "jicofoStatusCode": 0,
    "jicofoStatusContents": "",
    "jicofoStatsReachable": false,
    "jicofoStatsStatusCode": 0,
    "jicofoStatusStatusCode": 0,
    "prosodyHealthy": false,
    "prosodyReachable": false,
    "prosodySoftDown": false,
    "prosodyStatusCode": 0
  },
  "statuses": {
    "statusFileFound": true,
    "statusFileContents": "ready"
  },
  "stats": {
    "jicofoParticipants": null,
    "jicofoConferences": null,
    "prosodyParticipants": null,
    "prosodySumSquaredParticipants": null
  }
}`},
		{"everything works, with the census", true, func(n *node) {
			n.jicofo.Contents = "OK"
			n.census.Participants, n.census.SumSquared = 120, 1850
		}, []part{partJicofo, partProsody, partStatusFile, partCensus}, `{
  "time": "2026-03-01T12:00:05.678Z",
  "healthy": true,
  "healthdamped": false,
  "status": "ready",
  "weight": "100%",
  "agentmessage": "up ready 100%",
  "services": {
    "jicofoHealthy": true,
    "jicofoReachable": true,
    "jicofoSoftDown": false,
    "jicofoStatusCode": 200,
    "jicofoStatusContents": "OK",
    "jicofoStatsReachable": true,
    "jicofoStatsStatusCode": 200,
    "jicofoStatusStatusCode": 200,
    "prosodyHealthy": true,
    "prosodyReachable": true,
    "prosodySoftDown": false,
    "prosodyStatusCode": 200
  },
  "statuses": {
    "statusFileFound": true,
    "statusFileContents": "ready"
  },
  "stats": {
    "jicofoParticipants": 100,
    "jicofoConferences": 10,
    "prosodyParticipants": 120,
    "prosodySumSquaredParticipants": 1850
  }
}`},
		{"much is wrong", false, func(n *node) {
			n.jicofo.Health, n.jicofo.Contents = health.Answer{Code: 503}, "overloaded"
			n.jicofo.Stats = health.Answer{Code: 404}
			n.prosody.Health = health.Answer{Failure: health.FailureTimeout}
			n.statusFile.Contents = "Shiny"
		}, []part{partJicofo, partProsody, partStatusFile}, `{
  "time": "2026-03-01T12:00:05.678Z",
  "healthy": false,
  "healthdamped": false,
  "status": "unknown",
  "weight": "100%",
  "agentmessage": "down drain 100%",
  "services": {
    "jicofoHealthy": false,
    "jicofoReachable": true,
    "jicofoSoftDown": true,
    "jicofoStatusCode": 503,
    "jicofoStatusContents": "overloaded",
    "jicofoStatsReachable": true,
    "jicofoStatsStatusCode": 404,
    "jicofoStatusStatusCode": 404,
    "prosodyHealthy": false,
    "prosodyReachable": false,
    "prosodySoftDown": true,
    "prosodyStatusCode": 0
  },
  "statuses": {
    "statusFileFound": true,
    "statusFileContents": "Shiny"
  },
  "stats": {
    "jicofoParticipants": null,
    "jicofoConferences": null
  }
}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, cfg := workingNode(), defaultConfig()
			cfg.Census = c.census
			if c.change != nil {
				c.change(&n)
			}
			if got := reportJSON(t, observed(cfg, n, c.parts...)); got != c.want {
				t.Errorf("the report is\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestReportNumbers checks that participants and conferences are null unless both answers are 200 and parsed. A 0 is a
// number.
func TestReportNumbers(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*health.Jicofo)
		want   string
	}{
		{"nothing wrong", func(*health.Jicofo) {}, `"jicofoParticipants":100,"jicofoConferences":10`},
		{"an empty node", func(j *health.Jicofo) { j.Participants, j.Conferences = 0, 0 },
			`"jicofoParticipants":0,"jicofoConferences":0`},
		{"health 503", func(j *health.Jicofo) { j.Health.Code = 503 }, `"jicofoParticipants":null,"jicofoConferences":null`},
		{"stats 500", func(j *health.Jicofo) { j.Stats.Code = 500 }, `"jicofoParticipants":null,"jicofoConferences":null`},
		{"not parsed", func(j *health.Jicofo) { j.StatsProblem = "no number" },
			`"jicofoParticipants":null,"jicofoConferences":null`},
		{"no answer", func(j *health.Jicofo) { j.Stats = health.Answer{Failure: health.FailureReset} },
			`"jicofoParticipants":null,"jicofoConferences":null`},
	} {
		n := workingNode()
		c.change(&n.jicofo)
		report := observed(defaultConfig(), n, partJicofo, partProsody, partStatusFile).Current().Report()
		if got, _ := json.Marshal(report.Stats); string(got) != "{"+c.want+"}" {
			t.Errorf("%s: the stats are %s, want {%s}", c.what, got, c.want)
		}
	}
}

// TestReportCensusFails checks that the sums are null, but still present, if the last poll of the census failed.
func TestReportCensusFails(t *testing.T) {
	cfg := defaultConfig()
	cfg.Census = true
	for _, census := range []health.Census{
		{Answer: health.Answer{Code: 404}, Participants: 7},
		{Answer: health.Answer{Code: 200}, Problem: "not JSON", Participants: 7},
		{Answer: health.Answer{Failure: health.FailureTimeout}},
	} {
		n := workingNode()
		m := observed(cfg, n, partJicofo, partProsody, partStatusFile, partCensus)
		n.census = census
		m.Observe(context.Background(), n.observe(partCensus, time.Now()))
		if got := reportJSON(t, m); !strings.Contains(got, `"prosodyParticipants": null`) ||
			!strings.Contains(got, `"prosodySumSquaredParticipants": null`) {
			t.Errorf("census %+v: the report is\n%s", census, got)
		}
	}
}

// TestReportInGrace checks that the report has the state that HAProxy gets, and that it is damped.
func TestReportInGrace(t *testing.T) {
	m := observed(defaultConfig(), workingNode(), partJicofo, partProsody, partStatusFile)
	m.Observe(context.Background(), overloaded(m.Current().At))
	r := m.Current().Report()
	r.Time, r.Services, r.Statuses, r.Stats = nil, health.ReportServices{}, health.ReportStatuses{}, health.ReportStats{}
	want := health.Report{Healthy: true, HealthDamped: true, Status: "drain", Weight: "0%", AgentMessage: "up drain 0%"}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("the report is %+v, want %+v", r, want)
	}
}

// TestTime checks the format: RFC 3339 in UTC, always with milliseconds, never rounded up into the future.
func TestTime(t *testing.T) {
	zone := time.FixedZone("", -5*60*60)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02T03:04:05.000Z"},
		{time.Date(2026, 1, 2, 3, 4, 5, 70_000_000, time.UTC), "2026-01-02T03:04:05.070Z"},
		{time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, zone), "2027-01-01T04:59:59.999Z"},
	} {
		if got, err := health.Time(c.at).MarshalText(); err != nil || string(got) != c.want {
			t.Errorf("%s is written %s (%v), want %s", c.at, got, err, c.want)
		}
	}
}
