package collector

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// jicofoOf polls jicofo once.
func jicofoOf(t *testing.T, origin string) *health.Jicofo {
	t.Helper()
	r := newRig(t)
	r.run(NewJicofo(origin, r.options))
	return r.next().Jicofo
}

func TestJicofoHealthy(t *testing.T) {
	node := startNode(t)
	node.SetLoad(123, 45)
	before := time.Now()
	r := newRig(t)
	r.run(NewJicofo(node.Jicofo.Origin(), r.options))
	got := r.next()
	j := got.Jicofo
	if p, c, ok := j.Load(); p != 123 || c != 45 || !ok || j.Contents != "OK" || !j.Healthy() {
		t.Errorf("saw %+v", j)
	}
	if got.At.Before(before) || got.At.After(time.Now()) {
		t.Errorf("observed at %s, which is not when it was", got.At)
	}
	for _, path := range []string{"/about/health", "/stats"} {
		if n, _ := node.Jicofo.Requests(path); n != 1 {
			t.Errorf("%d requests for %s in one poll", n, path)
		}
	}
}

// TestJicofoTogether checks that both requests are sent concurrently: each gets its reply only after both have arrived.
func TestJicofoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meet := make(chan string)
		v, r := newVirtual(t, func(_ http.ResponseWriter, r *http.Request) {
			select {
			case meet <- r.URL.Path:
			case <-meet:
			case <-r.Context().Done():
			}
		}), newRig(t)
		r.options.Dial, r.options.Timeout = v.dial, 3*time.Second
		r.run(NewJicofo(origin, r.options))
		got := r.next()
		if took := got.At.Sub(v.start); !got.Jicofo.Healthy() || took != 0 {
			t.Errorf("%+v after %s: the requests did not run together", *got.Jicofo, took)
		}
	})
}

// TestJicofoOneFails checks that the result of the other request is kept.
func TestJicofoOneFails(t *testing.T) {
	tests := []struct {
		name, path, behavior string
		want                 func(j *health.Jicofo) bool
	}{
		{"soft failure", "/about/health", "code 503", func(j *health.Jicofo) bool {
			return j.SoftDown() && j.Contents == "Health check timed out, overloaded" && j.StatsParsed() && j.Participants == 10
		}},
		{"hard failure", "/about/health", "code 500", func(j *health.Jicofo) bool {
			return j.Health.Code == 500 && strings.HasPrefix(j.Contents, "No operational bridges") && j.StatsParsed()
		}},
		{"health breaks off", "/about/health", "truncate", func(j *health.Jicofo) bool {
			return j.Health.Failure == health.FailureReset && j.Contents == "" && j.StatsParsed()
		}},
		{"health is endless", "/about/health", "huge", func(j *health.Jicofo) bool {
			return j.Health.Failure == health.FailureBodySize && j.Contents == "" && j.StatsParsed()
		}},
		{"stats answers 500", "/stats", "code 500", func(j *health.Jicofo) bool {
			return j.Health.OK() && j.Stats.Code == 500 && j.StatsProblem == "" && !j.StatsParsed()
		}},
		{"stats is no JSON", "/stats", "notjson", func(j *health.Jicofo) bool {
			return j.Healthy() && !j.StatsParsed() && strings.HasPrefix(j.StatsProblem, "not a JSON object: ")
		}},
		{"stats breaks off", "/stats", "truncate", func(j *health.Jicofo) bool {
			return j.Health.OK() && j.Stats.Failure == health.FailureReset && !j.StatsParsed()
		}},
		{"stats is endless", "/stats", "huge", func(j *health.Jicofo) bool {
			return j.Health.OK() && j.Stats.Failure == health.FailureBodySize
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			node := startNode(t)
			node.SetLoad(10, 2)
			behave(t, node.Jicofo, tt.path, tt.behavior)
			if j := jicofoOf(t, node.Jicofo.Origin()); !tt.want(j) {
				t.Errorf("saw %+v", *j)
			}
		})
	}
}

// TestJicofoBounds checks that exactly 64 KiB of health and 1 MiB of statistics are read at most.
func TestJicofoBounds(t *testing.T) {
	stats := func(size int) []byte {
		const start, end = `{"participants":1,"conferences":2,"pad":"`, `"}`
		return []byte(start + strings.Repeat("x", size-len(start)-len(end)) + end)
	}
	j := jicofoOf(t, serveBodies(t, map[string][]byte{
		"/about/health": bytes.Repeat([]byte("h"), 64<<10), "/stats": stats(1 << 20),
	}))
	if !j.Healthy() || !j.StatsParsed() || len(j.Contents) != 64<<10 {
		t.Errorf("at the bounds: health %+v with %d bytes, stats %+v, %s", j.Health, len(j.Contents), j.Stats, j.StatsProblem)
	}
	j = jicofoOf(t, serveBodies(t, map[string][]byte{
		"/about/health": bytes.Repeat([]byte("h"), 64<<10+1), "/stats": stats(1<<20 + 1),
	}))
	if j.Health.Failure != health.FailureBodySize || j.Stats.Failure != health.FailureBodySize || j.Contents != "" {
		t.Errorf("over the bounds: health %+v, stats %+v, contents of %d bytes", j.Health, j.Stats, len(j.Contents))
	}
	if !strings.Contains(j.Health.Detail, "64 KiB") || !strings.Contains(j.Stats.Detail, "1 MiB") {
		t.Errorf("the details do not name the bounds: %q, %q", j.Health.Detail, j.Stats.Detail)
	}
}

// TestJicofoInvalidUTF8 checks that jicofo's text becomes valid UTF-8, as reports, logs and OTLP require.
func TestJicofoInvalidUTF8(t *testing.T) {
	j := jicofoOf(t, serveBodies(t, map[string][]byte{
		"/about/health": []byte("sch\xf6n \x00"), "/stats": []byte("{\"participants\":\"\xff\xfe\",\"conferences\":1}"),
	}))
	if want := "sch\uFFFDn \x00"; j.Contents != want {
		t.Errorf("contents = %q, want %q", j.Contents, want)
	}
	if !strings.HasPrefix(j.StatsProblem, "participants is not a number: ") || !utf8.ValidString(j.StatsProblem) {
		t.Errorf("problem = %q", j.StatsProblem)
	}
}

func TestParseStats(t *testing.T) {
	const other = `,"conferences":2}`
	tests := []struct {
		name, body   string
		participants float64
		problem      string // the beginning of the expected one, "" for none
	}{
		{"number", `{"participants":7` + other, 7, ""},
		{"zero", `{"participants":0` + other, 0, ""},
		{"fraction", `{"participants":7.5` + other, 7.5, ""},
		{"exponent", `{"participants":7e3` + other, 7000, ""},
		{"negative", `{"participants":-7` + other, 0, ""},
		{"white space", " {\n\t\"participants\" : 7" + other + "\r\n ", 7, ""},
		{"other keys of every type", `{"a":[1,{}],"b":null,"c":"x","d":{"participants":9},"participants":7` + other, 7, ""},
		{"key written with escapes", `{"particip\u0061nts":7` + other, 7, ""},
		{"duplicate keys: the last one holds", `{"participants":"x","participants":7` + other, 7, ""},
		{"duplicate keys: the last one is wrong", `{"participants":7,"participants":"x"` + other, 0,
			"participants is not a number"},
		{"invalid UTF-8 elsewhere", "{\"a\":\"\xff\",\"participants\":7" + other, 7, ""},
		{"string", `{"participants":"7"` + other, 0, `participants is not a number: "7"`},
		{"null", `{"participants":null` + other, 0, "participants is not a number: null"},
		{"bool", `{"participants":true` + other, 0, "participants is not a number: true"},
		{"array", `{"participants":[7]` + other, 0, "participants is not a number: [7]"},
		{"object", `{"participants":{"participants":7}` + other, 0, "participants is not a number: {"},
		{"too large", `{"participants":1e400` + other, 0, "participants is not a number: 1e400"},
		{"missing", `{"conferences":2}`, 0, "participants is missing"},
		{"nested only", `{"stats":{"participants":7},"conferences":2}`, 0, "participants is missing"},
		{"upper case", `{"PARTICIPANTS":7` + other, 0, "participants is missing"},
		{"title case beside the right one", `{"participants":7,"Participants":9` + other, 7, ""},
		{"both missing", `{}`, 0, "participants is missing\nconferences is missing"},
		{"conferences missing", `{"participants":7}`, 0, "conferences is missing"},
		{"conferences a string", `{"participants":7,"conferences":"2"}`, 0, `conferences is not a number: "2"`},
		{"top-level null", `null`, 0, "participants is missing"},
		{"top-level array", `[{"participants":7` + other + `]`, 0, "not a JSON object"},
		{"top-level number", `7`, 0, "not a JSON object"},
		{"empty", ``, 0, "not a JSON object: it is empty"},
		{"half", `{"participants":7,"conf`, 0, "not a JSON object: it is cut off after 23 bytes"},
		{"trailing garbage", `{"participants":7` + other + `x`, 0, "not a JSON object"},
		{"two objects", `{"participants":7` + other + `{}`, 0, "not a JSON object"},
		{"leading zero", `{"participants":07` + other, 0, "not a JSON object"},
		{"plus", `{"participants":+7` + other, 0, "not a JSON object"},
		{"NaN", `{"participants":NaN` + other, 0, "not a JSON object"},
		{"single quotes", `{'participants':7}`, 0, "not a JSON object"},
		{"byte order mark", "\xef\xbb\xbf{\"participants\":7" + other, 0, "not a JSON object"},
		{"deeply nested", `{"a":` + strings.Repeat("[", 100_000), 0, "not a JSON object"},
		{"HTML", `<html>not found</html>`, 0, `not a JSON object: it begins with "<html>`},
		{"long value", `{"participants":"` + strings.Repeat("9", 100_000) + `"` + other, 0,
			`participants is not a number: "999`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			participants, conferences, err := parseStats([]byte(tt.body))
			if tt.problem == "" && (err != nil || participants != tt.participants || conferences != 2) {
				t.Errorf("got %v, %v, %v; want %v, 2", participants, conferences, err, tt.participants)
			}
			if tt.problem != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.problem)) {
				t.Errorf("error %v, want %s", err, tt.problem)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// TestNegativeStats checks that a negative number counts as 0, in the report and for the weight.
func TestNegativeStats(t *testing.T) {
	node := startNode(t)
	for _, stats := range []string{
		`{"participants":-5,"conferences":-1}`, `{"participants":-0.5,"conferences":-0}`,
		`{"participants":-1e300,"conferences":-2.0}`,
	} {
		behave(t, node.Jicofo, "/stats", "body "+stats)
		monitor := health.NewMonitor(health.Config{ParticipantMax: 5000, WeightParticipants: true,
			DrainGraceScope: health.ScopeJicofo})
		now := time.Now()
		for _, o := range []health.Observation{
			{At: now, Jicofo: jicofoOf(t, node.Jicofo.Origin())},
			{At: now, Prosody: &health.Prosody{Health: health.Answer{Code: 200}}},
			{At: now, StatusFile: &health.StatusFile{Found: true, Contents: "ready"}},
		} {
			monitor.Observe(t.Context(), o)
		}
		seen := monitor.Current()
		report, err := json.Marshal(seen.Report().Stats)
		if want := `{"jicofoParticipants":0,"jicofoConferences":0}`; err != nil || string(report) != want {
			t.Errorf("%s: the report has %s, %v; want %s", stats, report, err, want)
		}
		if line := string(seen.AgentLine); line != "up ready 100%\n" {
			t.Errorf("%s: the agent replies %q", stats, line)
		}
	}
}

// FuzzParseStats compares the result with that of encoding/json, which decodes the whole body.
func FuzzParseStats(f *testing.F) {
	for _, seed := range []string{
		`{"participants":7,"conferences":2}`, `{"participants":"7","conferences":2}`, `{"participants":null}`, `{}`, `null`,
		`[]`, ``,
		`{"PARTICIPANTS":7,"conferences":2}`, `{"participants":1,"participants":2,"conferences":3}`,
		`{"participants":1e400,"conferences":1}`,
		`{"particip\u0061nts":7,"conferences":-0.5e-3}`, `{"participants":1,"conferences":2}x`,
		"{\"\xff\":1,\"participants\":1,\"conferences\":2}",
		`{"participants":1e-999,"conferences":12345678901234567890123456789}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		participants, conferences, err := parseStats(body)
		wantParticipants, wantConferences, ok := referenceStats(body)
		if (err == nil) != ok {
			t.Fatalf("error %v, while the reference says %t", err, ok)
		}
		if ok && (participants != wantParticipants || conferences != wantConferences) {
			t.Errorf("got %v and %v, want %v and %v", participants, conferences, wantParticipants, wantConferences)
		}
		if err != nil && !utf8.ValidString(problem(err)) {
			t.Errorf("problem %q is not UTF-8", problem(err))
		}
	})
}

func referenceStats(body []byte) (participants, conferences float64, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var all map[string]any
	if decoder.Decode(&all) != nil || !json.Valid(body) {
		return 0, 0, false
	}
	p, okP := all["participants"].(json.Number)
	c, okC := all["conferences"].(json.Number)
	if !okP || !okC {
		return 0, 0, false
	}
	participants, errP := p.Float64()
	conferences, errC := c.Float64()
	return max(participants, 0), max(conferences, 0), errP == nil && errC == nil
}
