package health_test

import (
	"encoding/json"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestReasonsOfReport checks the state and the root reason that a report shows.
func TestReasonsOfReport(t *testing.T) {
	t.Parallel()
	const good = `"services":{"jicofoHealthy":true,"prosodyHealthy":true},` +
		`"stats":{"jicofoParticipants":7,"jicofoConferences":2},`
	for name, c := range map[string]struct{ report, state, code, text string }{
		"up": {
			good + `"healthy":true,"status":"ready","statuses":{"statusFileFound":true,"statusFileContents":"ready"}`,
			"ready", "none", "",
		},
		"drained": {
			good + `"healthy":true,"status":"drain","statuses":{"statusFileFound":true,"statusFileContents":"drain"}`,
			"drain", "status_drain", "the status file says drain",
		},
		"full": {
			good + `"healthy":true,"status":"drain","statuses":{"statusFileFound":true,"statusFileContents":"ready"}`,
			"drain", "participants_max", "7 participants, more than PARTICIPANT_MAX",
		},
		"dampening": {
			good + `"healthy":false,"healthdamped":true,"status":"ready",` +
				`"statuses":{"statusFileFound":true,"statusFileContents":"ready"}`,
			"down", "dampening", "healthy again, but not yet for long enough",
		},
		"no status file": {
			good + `"healthy":false,"status":"unknown","statuses":{"statusFileFound":false}`,
			"down", "status_file_unreadable", "status file: missing or unreadable",
		},
		"jicofo failed": {
			`"services":{"jicofoStatusCode":500,"jicofoStatusContents":"No operational bridges","prosodyHealthy":true},` +
				`"healthy":false,"status":"ready","statuses":{"statusFileFound":true,"statusFileContents":"ready"}`,
			"down", "jicofo_unhealthy", "jicofo answered 500: No operational bridges",
		},
		"jicofo's statistics failed": {
			`"services":{"jicofoStatusCode":200,"jicofoStatusStatusCode":502,"prosodyHealthy":true},` +
				`"healthy":false,"status":"ready","statuses":{"statusFileFound":true,"statusFileContents":"ready"}`,
			"down", "jicofo_stats_failed", "jicofo statistics answered 502",
		},
		"prosody slow": {
			`"services":{"jicofoHealthy":true,"prosodySoftDown":true},"stats":{"jicofoParticipants":7},` +
				`"healthy":false,"status":"ready","statuses":{"statusFileFound":true,"statusFileContents":"ready"}`,
			"down", "prosody_timeout", "prosody: no answer in time",
		},
	} {
		var r health.Report
		if err := json.Unmarshal([]byte(`{`+c.report+`,"time":"2026-01-02T03:04:05.678Z"}`), &r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		code, text := health.ReasonNone, ""
		if reasons := r.Reasons(); len(reasons) > 0 {
			code, text = reasons[0].Code, reasons[0].Text
		}
		if r.State() != c.state || string(code) != c.code || text != c.text {
			t.Errorf("%s: state %s, reason %s: %s", name, r.State(), code, text)
		}
	}
	if r := (health.Report{}); r.State() != health.StateNone || r.Reasons() != nil {
		t.Errorf("no verdict: state %s, reasons %v", r.State(), r.Reasons())
	}
}
