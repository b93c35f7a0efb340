package fleet

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// reportOf returns the value of a report that is so old. word is the status file's, and the state's.
func reportOf(age time.Duration, up, word string, participants int, more string) string {
	weight := map[bool]string{true: "100%", false: "0%"}[word == "ready"]
	return fmt.Sprintf(`{"time":%q,"healthy":%t,"healthdamped":false,"status":%q,"weight":%q,"agentmessage":%q,`+
		`"services":{"jicofoHealthy":%[2]t,"jicofoStatusCode":500,"prosodyHealthy":true},`+
		`"statuses":{"statusFileFound":true,"statusFileContents":%[3]q},"stats":{"jicofoParticipants":%[6]d}%[7]s}`,
		now.Add(-age).Format(time.RFC3339Nano), up == "up", word, weight, up+" "+word+" "+weight, participants, more)
}

// fleetOf returns the contents of a datacenter: for each shard, its wanted state, its report and its release, "-" for
// none.
func fleetOf(shards map[string][3]string) *contents {
	c := &contents{
		datacenter: "dc1", states: map[name]state{}, reports: map[name]*report{},
		audits: map[name]*Audit{}, services: map[name]service{},
	}
	for shard, has := range shards {
		n, _ := parseKey("", shard)
		if has[0] != "-" {
			c.states[n] = state{has[0], 1}
		}
		if has[1] != "-" {
			c.reports[n] = parseReport([]byte(has[1]), 1)
		}
		if has[2] != "-" {
			c.services[n], c.serviceUsed = service{has[2], "10.0.0.1:6000"}, true
		}
	}
	return c
}

// inWords returns the rows in a short form, one a line.
func inWords(rows []Row) string {
	var b strings.Builder
	for _, r := range rows {
		participants := "-"
		if r.Participants != nil {
			participants = fmt.Sprint(*r.Participants)
		}
		age := "-"
		if r.ReportAge != nil {
			age = fmt.Sprint(*r.ReportAge)
		}
		fmt.Fprintf(&b, "%s/%s %s %s %s %s wanted=%s release=%s age=%s %v\n",
			r.Environment, r.Shard, r.State, r.Reason, r.Weight, participants, r.Wanted, r.Release, age, r.Marks)
	}
	return b.String()
}

// TestJoin joins one shard of each kind, with trouble first.
func TestJoin(t *testing.T) {
	t.Parallel()
	const second = time.Second
	c := fleetOf(map[string][3]string{
		"prod/ready":    {"ready", reportOf(3*second, "up", "ready", 12, ""), "7"},
		"prod/ready2":   {"ready\n", reportOf(second, "up", "ready", 0, ""), "7"},
		"prod/drained":  {"drain", reportOf(second, "up", "drain", 1, ""), "7"},
		"prod/maint":    {"maint", reportOf(second, "up", "maint", 1, ""), "7"},
		"prod/down":     {"ready", reportOf(second, "down", "ready", 4, ""), "7"},
		"prod/stale":    {"ready", reportOf(181*second, "up", "ready", 4, ""), "7"},
		"prod/edge":     {"ready", reportOf(180*second, "up", "ready", 4, ""), "7"},
		"prod/ahead":    {"ready", reportOf(-10*second, "up", "ready", 4, ""), "7"},
		"prod/coming":   {"drain", "-", "-"},
		"prod/started":  {"-", "-", "8"},
		"prod/retired":  {"-", reportOf(second, "up", "drain", 0, ""), "-"},
		"prod/broken":   {"ready", `<html>`, "7"},
		"prod/newer":    {"ready", reportOf(second, "up", "ready", 4, `,"censusOmitted":true,"new":{"a":[1]}`), "7"},
		"prod/timeless": {"ready", `{"time":7,"healthy":true,"status":"ready","agentmessage":"up ready 100%"}`, "7"},
		"prod/starting": {"ready", `{"time":null,"healthy":false,"status":"unknown","agentmessage":""}`, "7"},
		"alone":         {"ready", reportOf(second, "up", "ready", 4, ""), "7"},
	})
	rows := c.join(now, 180*second)
	sortRows(rows)
	const want = `prod/down down jicofo_unhealthy 100% 4 wanted=ready release=7 age=1 []
prod/broken none none  - wanted=ready release=7 age=- [broken]
prod/stale ready none 100% 4 wanted=ready release=7 age=181 [stale]
prod/starting none none  - wanted=ready release=7 age=- [stale]
prod/timeless ready status_file_unreadable  - wanted=ready release=7 age=- [stale]
prod/coming none none  - wanted=drain release= age=- [silent]
prod/started none none  - wanted= release=8 age=- [silent]
prod/retired drain status_drain 0% 0 wanted= release= age=1 [gone]
prod/ahead ready none 100% 4 wanted=ready release=7 age=-10 [clock]
prod/maint maint status_maint 0% 1 wanted=maint release=7 age=1 []
prod/drained drain status_drain 0% 1 wanted=drain release=7 age=1 []
/alone ready none 100% 4 wanted=ready release=7 age=1 []
prod/edge ready none 100% 4 wanted=ready release=7 age=180 []
prod/newer ready none 100% 4 wanted=ready release=7 age=1 []
prod/ready ready none 100% 12 wanted=ready release=7 age=3 []
prod/ready2 ready none 100% 0 wanted=ready release=7 age=1 []
`
	if got := inWords(rows); got != want {
		t.Errorf("got\n%s\nnot\n%s", got, want)
	}
	for range 20 { // the order does not depend on the order of the input
		rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		if sortRows(rows); inWords(rows) != want {
			t.Fatalf("another order:\n%s", inWords(rows))
		}
	}
	healthy := 0
	for _, r := range rows {
		if r.Healthy() {
			healthy++
		}
	}
	if healthy != 7 {
		t.Errorf("%d rows are healthy", healthy)
	}
}

// TestOddState checks that a state that is none of Row.State counts as unknown, which is not healthy.
func TestOddState(t *testing.T) {
	t.Parallel()
	n := name{"prod", "s1"}
	c := contents{reports: map[name]*report{n: parseReport([]byte(
		`{"time":"2026-01-02T03:04:05Z","healthy":true,"status":"parked"}`), 1)}}
	if r := c.row(n, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Minute); r.State != "unknown" || r.Healthy() {
		t.Errorf("state %q, healthy %t", r.State, r.Healthy())
	}
}

// TestGoneNeedsService checks that no shard is gone where no shard has a service.
func TestGoneNeedsService(t *testing.T) {
	t.Parallel()
	rows := fleetOf(map[string][3]string{"a/b": {"ready", reportOf(0, "up", "ready", 1, ""), "-"}}).join(now, time.Minute)
	if len(rows) != 1 || len(rows[0].Marks) != 0 {
		t.Errorf("rows %+v", rows)
	}
}

// TestParseReport parses values of all kinds.
func TestParseReport(t *testing.T) {
	t.Parallel()
	census := `,"census":[` + strings.Repeat(`{"room_name":"a@b","participants":3},`, 13000) + `{}]`
	for name, c := range map[string]struct{ value, err string }{
		"empty":        {"", "the value is empty"},
		"word":         {"ready", `the value "ready" is no report: invalid character`},
		"list":         {"[]", `the value "[]" is no report: json: cannot unmarshal array`},
		"null":         {"null", `the value "null" is no report: it has no boolean key healthy`},
		"cut":          {reportOf(0, "up", "ready", 1, "")[:40], `…`},
		"escape":       {"\x1b[2J", `the value "\x1b[2J" is no report`},
		"not healthy":  {`{"healthy":"yes"}`, "it has no boolean key healthy"},
		"500 KiB":      {reportOf(0, "up", "ready", 1, census), ""},
		"number":       {`{"healthy":true,"weight":100,"status":"ready"}`, ""},
		"only healthy": {`{"healthy":false}`, ""},
	} {
		r := parseReport([]byte(c.value), 3)
		switch {
		case r.index != 3 || (r.err == nil) != (c.err == ""):
			t.Errorf("%s: %+v", name, r)
		case r.err != nil && !strings.Contains(r.err.Error(), c.err):
			t.Errorf("%s: %v", name, r.err)
		}
	}
	r := parseReport([]byte(`{"healthy":true,"weight":100,"status":"drain","stats":{"jicofoParticipants":3}}`), 1)
	if r.Status != health.StatusDrain || *r.Stats.JicofoParticipants != 3 {
		t.Errorf("after a key of another type: %+v", r)
	}
}

// TestKeys checks that each key names one shard, and each shard one key.
func TestKeys(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]*name{
		"shard-states/prod/s1":     {"prod", "s1"},
		"shard-states/s1":          {"", "s1"},
		"shard-states//s1":         {"", "/s1"},
		"shard-states/a/b/c":       {"a", "b/c"},
		"shard-states/a/\x1b[31m ": {"a", "\x1b[31m "},
		"shard-states/":            nil,
		"shard-states/prod/":       nil,
		"other/prod/s1":            nil,
	} {
		n, ok := parseKey(statesPrefix, key)
		switch {
		case ok != (want != nil), ok && n != *want:
			t.Errorf("%q: %+v, %t", key, n, ok)
		case ok && n.key(statesPrefix) != key:
			t.Errorf("%q became %q", key, n.key(statesPrefix))
		}
	}
}

// TestPrintable checks that what a terminal would interpret is quoted.
func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"shard-1": "shard-1", "größe": "größe", "": `""`, "a b": `"a b"`, "\x1b[2J": `"\x1b[2J"`,
		"\u009b2J": `"\u009b2J"`, "a\u202eb": `"a\u202eb"`, "\xff": `"\xff"`, `a"b`: `"a\"b"`, "a\nb": `"a\nb"`,
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q became %s", text, got)
		}
	}
}

// TestAudit checks that an audit is read leniently and printed safely.
func TestAudit(t *testing.T) {
	t.Parallel()
	a := parseAudit([]byte(`{"state":"drain","by":"eve\u001b[2J@ops","at":"2026-01-02T03:04:05Z","reason":"a\nb","x":1}`))
	if got := a.String(); got != "drain by eve?[2J@ops at 2026-01-02 03:04:05Z: a b" {
		t.Errorf("got %s", got)
	}
	for _, value := range []string{"", "alice", `{"by":""}`, `{"by":7}`} {
		if a := parseAudit([]byte(value)); a != nil {
			t.Errorf("%q: %+v", value, a)
		}
	}
}

// TestDisagreements follows two HAProxys and an agent line over time.
func TestDisagreements(t *testing.T) {
	t.Parallel()
	type moment struct {
		at             int // seconds
		agent, lb1     string
		lb2            string
		marked, noted  bool
		pendingAsWell  bool
		reportTooOld   bool
		withoutHAProxy bool
	}
	d := disagreements{}
	for i, m := range []moment{
		{at: 0, agent: "up ready 100%", lb1: "UP", lb2: "no check"},
		{at: 1, agent: "up drain 0%", lb1: "UP", lb2: "UP", noted: true, pendingAsWell: true},
		{at: 2, agent: "up drain 0%", lb1: "DRAIN (agent)", lb2: "UP", noted: true, pendingAsWell: true},
		{at: 3, agent: "up drain 0%", lb1: "DRAIN", lb2: "UP 1/2", noted: true, marked: true},
		{at: 4, agent: "up drain 0%", lb1: "DRAIN", lb2: "DRAIN 1/2"},
		{at: 5, agent: "down drain 0%", lb1: "DOWN (agent)", lb2: "DRAIN (agent)", noted: true, pendingAsWell: true},
		{at: 6, agent: "down drain 0%", lb1: "DOWN 1/2", lb2: "DOWN"},
		{at: 9, agent: "down maint 0% # x up", lb1: "MAINT", lb2: "MAINT (via a/b)"},
		{at: 10, agent: "nonsense", lb1: "UP", lb2: "new status"},
		{at: 11, agent: "up drain 0%", lb1: "UP", lb2: "UP", reportTooOld: true},
		{at: 12, agent: "up drain 0%", lb1: "UP", lb2: "DRAIN", reportTooOld: true, noted: true, pendingAsWell: true},
		{at: 13, agent: "up drain 0%", withoutHAProxy: true},
	} {
		row := Row{Shard: "s1", AgentLine: m.agent}
		if m.reportTooOld {
			row.Marks = []Mark{MarkStale}
		}
		rows := []Row{row}
		if !m.withoutHAProxy {
			addBeliefs(rows, map[string][]Belief{"s1": {
				{HAProxy: "lb1", Backend: "b", Server: "s1", Status: m.lb1, State: serverState(m.lb1)},
				{HAProxy: "lb2", Backend: "b", Server: "s1", Status: m.lb2, State: serverState(m.lb2)},
			}, "s2": {{State: stateDown}}})
		}
		pending := d.mark(rows, now.Add(time.Duration(m.at)*time.Second), 2*time.Second)
		marked, noted := rows[0].Marked(MarkDisagree), rows[0].Disagreement != nil
		if pending != m.pendingAsWell || marked != m.marked || noted != m.noted {
			t.Errorf("moment %d: pending %t, row %+v", i, pending, rows[0])
		}
	}
	if len(d) != 0 {
		t.Errorf("left over: %v", d)
	}
}

// TestRowAsJSON checks the keys of a row, and that none is missing when it has no value.
func TestRowAsJSON(t *testing.T) {
	t.Parallel()
	rows := fleetOf(map[string][3]string{"a/b": {"ready", "-", "-"}}).join(now, time.Minute)
	text, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"datacenter":"dc1","environment":"a","shard":"b","state":"none","damped":false,"reason":"none",` +
		`"reason_text":"","weight":"","participants":null,"wanted":"ready","release":"","report_time":null,` +
		`"report_age":null,"agent_line":"","address":"","marks":["silent"],"problem":"","audit":null,"haproxy":[],` +
		`"disagreement":null}]`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if !slices.Equal(rows[0].Marks, []Mark{MarkSilent}) {
		t.Errorf("marks %v", rows[0].Marks)
	}
}

// TestServersOfDatacenters gives each server to the shard of its datacenter where the HAProxy tells them apart.
func TestServersOfDatacenters(t *testing.T) {
	t.Parallel()
	rows := []Row{{Datacenter: "east", Shard: "s1"}, {Datacenter: "west", Shard: "s1"}, {Shard: "s1"}}
	addBeliefs(rows, map[string][]Belief{
		"s1":      {{HAProxy: "lb-east", Server: "s1"}, {HAProxy: "lb-west", Server: "s1"}, {HAProxy: "lb", Server: "s1"}},
		"s1.west": {{HAProxy: "lb-east", Server: "s1.west"}},
		"s1.east": {{HAProxy: "lb-west", Server: "s1.east"}},
		"s1.":     {{HAProxy: "lb", Server: "s1."}},
	})
	for i, want := range []string{
		"lb-west s1.east, lb-east s1, lb s1", "lb-east s1.west, lb-west s1, lb s1", "lb-east s1, lb-west s1, lb s1",
	} {
		var all []string
		for _, b := range rows[i].HAProxy {
			all = append(all, b.HAProxy+" "+b.Server)
		}
		if got := strings.Join(all, ", "); got != want {
			t.Errorf("row %d: %s", i, got)
		}
	}
}
