package rest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

var (
	answered200 = health.Answer{Code: 200}
	refused     = testbed.Refused
	timedOut    = health.Answer{Failure: health.FailureTimeout, Detail: "gave no reply at localhost:5280 within 3s", Error: "context deadline exceeded"}
)

// states are the states that a test script can set with "state …". Each is a list of observations, added to the earlier
// ones.
var states = map[string][]health.Observation{
	"none":           {},
	"jicofo known":   {jicofo("OK", answered200, answered200)},
	"up":             {jicofo("OK", answered200, answered200), prosody(answered200), statusFile("ready")},
	"drain":          {statusFile("drain")},
	"maint":          {statusFile("maint")},
	"unknown":        {statusFile("ready?")},
	"unhealthy":      {statusFile("unhealthy")},
	"drain-grace":    {jicofo("busy <&>", health.Answer{Code: 503}, answered200)},
	"jicofo gone":    {jicofo("", refused, refused)},
	"down":           {prosody(health.Answer{Code: 500})},
	"prosody hangs":  {prosody(timedOut)},
	"damped":         {prosody(health.Answer{Code: 500}), prosody(answered200)},
	"file missing":   {{StatusFile: &health.StatusFile{Problem: "no such file or directory"}}},
	"census good":    {census(`[{"room_name":"a@conference.host","participants":"3","created_time":1767323045,"leaked":true}, {"room_name":"b","participants":4}]`, 7, 25)},
	"census empty":   {census(`[]`, 0, 0)},
	"census large":   {census("[\n"+strings.Repeat(" ", 100_000)+"]", 0, 0)},
	"census failed":  {{Census: &health.Census{Answer: health.Answer{Code: 400}}}},
	"census invalid": {{Census: &health.Census{Answer: answered200, Problem: "not a JSON object"}}},
}

func jicofo(contents string, health_, stats health.Answer) health.Observation {
	return health.Observation{Jicofo: &health.Jicofo{Health: health_, Contents: contents, Stats: stats,
		Participants: 1234, Conferences: 56}}
}

func prosody(answer health.Answer) health.Observation {
	return health.Observation{Prosody: &health.Prosody{Health: answer}}
}

func statusFile(contents string) health.Observation {
	return health.Observation{StatusFile: &health.StatusFile{Found: true, Contents: contents}}
}

func census(rooms string, participants, squared float64) health.Observation {
	return health.Observation{Census: &health.Census{
		Answer: answered200, Rooms: json.RawMessage(rooms), Participants: participants, SumSquared: squared,
	}}
}

// enter makes the observations of a state.
func (n *node) enter(t testing.TB, state string) {
	t.Helper()
	parts, ok := states[state]
	if !ok {
		t.Fatalf("there is no state %q", state)
	}
	n.observe(parts...)
}
