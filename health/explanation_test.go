package health_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// explained is the start of the explanation tests: a time with fractions of a second, in another time zone.
var explained = time.Date(2026, 3, 1, 14, 0, 5, 678_999_999, time.FixedZone("", 2*60*60))

// wants compares the current explanation byte for byte, except for the white space between tokens.
func wants(t *testing.T, m *health.Monitor, want string) {
	t.Helper()
	got, err := json.Marshal(m.Current().Explain())
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(want)); err != nil {
		t.Fatalf("%v: %s", err, want)
	}
	if string(got) != compact.String() {
		t.Errorf("the explanation is\n%s\nwant\n%s", got, compact.String())
	}
}

// TestExplanation covers every state. Scripts depend on the keys, their order, the times and the nulls.
func TestExplanation(t *testing.T) {
	type observation struct {
		after  time.Duration
		part   part
		change func(*node)
	}
	jicofo503 := func(n *node) { n.jicofo.Health = health.Answer{Code: 503} }
	word := func(w string) func(*node) { return func(n *node) { n.statusFile.Contents = w } }
	prosody := func(code int) func(*node) { return func(n *node) { n.prosody.Health = health.Answer{Code: code} } }
	for _, c := range []struct {
		name string
		seen []part // before the observations in then
		then []observation
		want string
	}{
		{"none", nil, nil,
			`{"time": null, "state": "none", "agentmessage": "", "damped": false, "reasons": [], "next": null}`},
		{
			"none, and something was seen", []part{partJicofo, partStatusFile}, nil,
			`{"time": "2026-03-01T12:00:05.678Z", "state": "none", "agentmessage": "", "damped": false, "reasons": [], "next": null}`,
		},
		{
			"ready", everyPart, nil,
			`{"time": "2026-03-01T12:00:05.678Z", "state": "ready", "agentmessage": "up ready 100%", "damped": false, "reasons": [], "next": null}`,
		},
		{"drain by word", everyPart, []observation{{5 * time.Second, partStatusFile, word("drain")}}, `{
			"time": "2026-03-01T12:00:10.678Z", "state": "drain", "agentmessage": "up drain 0%", "damped": false,
			"reasons": [{"code": "status_drain", "text": "the status file says drain", "since": "2026-03-01T12:00:10.678Z"}],
			"next": null}`},
		{"maint by word", everyPart, []observation{{5 * time.Second, partStatusFile, word("maint")}}, `{
			"time": "2026-03-01T12:00:10.678Z", "state": "maint", "agentmessage": "up maint 0%", "damped": false,
			"reasons": [{"code": "status_maint", "text": "the status file says maint", "since": "2026-03-01T12:00:10.678Z"}],
			"next": null}`},
		{"unknown word", everyPart, []observation{{5 * time.Second, partStatusFile, word("<shiny>\n")}}, `{
			"time": "2026-03-01T12:00:10.678Z", "state": "unknown", "agentmessage": "up drain 100%", "damped": false,
			"reasons": [{"code": "status_unknown",
				"text": "the status file says \"\u003cshiny\u003e\\n\", which is no known word",
				"since": "2026-03-01T12:00:10.678Z"}],
			"next": null}`},
		{"drain in grace", everyPart,
			[]observation{{10 * time.Second, partJicofo, jicofo503}, {time.Second, partProsody, prosody(200)}}, `{
			"time": "2026-03-01T12:00:16.678Z", "state": "drain", "agentmessage": "up drain 0%", "damped": true,
			"incident": "20260301T120015.678Z-4bf92f35",
			"reasons": [{"code": "jicofo_overloaded", "text": "jicofo answered 503", "since": "2026-03-01T12:00:15.678Z"}],
			"next": {"at": "2026-03-01T12:02:15.678Z", "state": "down", "agentmessage": "down ready 100%"}}`},
		{"maint in grace", everyPart,
			[]observation{{10 * time.Second, partJicofo, jicofo503}, {time.Second, partStatusFile, word("maint")}}, `{
			"time": "2026-03-01T12:00:16.678Z", "state": "maint", "agentmessage": "up maint 0%", "damped": true,
			"incident": "20260301T120015.678Z-4bf92f35",
			"reasons": [{"code": "jicofo_overloaded", "text": "jicofo answered 503", "since": "2026-03-01T12:00:15.678Z"},
			            {"code": "status_maint", "text": "the status file says maint", "since": "2026-03-01T12:00:16.678Z"}],
			"next": {"at": "2026-03-01T12:02:15.678Z", "state": "down", "agentmessage": "down maint 0%"}}`},
		{"down", everyPart, []observation{{10 * time.Second, partProsody, prosody(500)}}, `{
			"time": "2026-03-01T12:00:15.678Z", "state": "down", "agentmessage": "down ready 100%", "damped": false,
			"incident": "20260301T120015.678Z-4bf92f35",
			"reasons": [{"code": "prosody_unhealthy", "text": "prosody answered 500", "since": "2026-03-01T12:00:15.678Z"}],
			"next": null}`},
		{"damped", everyPart,
			[]observation{{10 * time.Second, partProsody, prosody(500)}, {5 * time.Second, partProsody, prosody(200)}}, `{
			"time": "2026-03-01T12:00:20.678Z", "state": "down", "agentmessage": "down ready 100%", "damped": true,
			"incident": "20260301T120015.678Z-4bf92f35",
			"reasons": [
				{"code": "dampening", "text": "healthy again, but not yet for 30s", "since": "2026-03-01T12:00:20.678Z"}],
			"next": {"at": "2026-03-01T12:00:45.678Z", "state": "ready", "agentmessage": "up ready 100%"}}`},
		{"damped, then to drain", everyPart, []observation{
			{10 * time.Second, partProsody, prosody(500)}, {5 * time.Second, partProsody, prosody(200)},
			{time.Second, partStatusFile, word("drain")},
		}, `{
			"time": "2026-03-01T12:00:21.678Z", "state": "down", "agentmessage": "down drain 0%", "damped": true,
			"incident": "20260301T120015.678Z-4bf92f35",
			"reasons": [{"code": "dampening", "text": "healthy again, but not yet for 30s", "since": "2026-03-01T12:00:20.678Z"},
			            {"code": "status_drain", "text": "the status file says drain", "since": "2026-03-01T12:00:21.678Z"}],
			"next": {"at": "2026-03-01T12:00:45.678Z", "state": "drain", "agentmessage": "up drain 0%"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, n, at := defaultConfig(), workingNode(), explained
			cfg.Instance = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"
			m := health.NewMonitor(cfg)
			for _, p := range c.seen {
				m.Observe(context.Background(), n.observe(p, at))
			}
			for _, o := range c.then {
				o.change(&n)
				at = at.Add(o.after)
				m.Observe(context.Background(), n.observe(o.part, at))
			}
			wants(t, m, c.want)
		})
	}
}

// TestExplanationCanBeRead checks that an explanation survives encoding and decoding, as signal-sidecar status needs
// it.
func TestExplanationCanBeRead(t *testing.T) {
	m := observed(defaultConfig(), workingNode(), everyPart...)
	m.Observe(context.Background(), overloaded(m.Current().At.Add(time.Second)))
	text, err := json.Marshal(m.Current().Explain())
	if err != nil {
		t.Fatal(err)
	}
	var read health.Explanation
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(read); !bytes.Equal(again, text) {
		t.Errorf("read and written again it is\n%s\nwant\n%s", again, text)
	}
}

// TestNextComesTrue checks that the verdict becomes what Next predicted, description included.
func TestNextComesTrue(t *testing.T) {
	for _, described := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			cfg := defaultConfig()
			cfg.AgentDescription = described
			m := health.NewMonitor(cfg, endlessly())
			stop := runMonitor(m)
			defer stop()
			observeWorking(m)
			m.Observe(context.Background(), overloaded(time.Now()))
			for _, change := range []struct{ from, to string }{{"drain", "down"}, {"down", "ready"}} {
				now := m.Current().Explain()
				if now.State != change.from || now.Next == nil || now.Next.State != change.to {
					t.Fatalf("described %t: %+v, next %+v, want %s and then %s", described, now, now.Next, change.from, change.to)
				}
				sleepVirtually(time.Until(time.Time(now.Next.At)))
				then := m.Current().Explain()
				if then.State != now.Next.State || then.AgentMessage != now.Next.AgentMessage {
					t.Errorf("described %t: it was to be %q, it is %q", described, now.Next.AgentMessage, then.AgentMessage)
				}
				m.Observe(context.Background(), overloaded(time.Now())) // the dampening counts from here
				observeWorking(m)
			}
		})
	}
}
