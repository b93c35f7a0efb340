package history_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// epoch is time 0 of the tests.
var epoch = time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)

var (
	ok, unwell, refused   = testbed.OK, testbed.Unwell, testbed.Refused
	jicofo, prosody, word = testbed.Jicofo, testbed.Prosody, testbed.StatusFile
	settings              = testbed.DefaultRules
)

func at(o health.Observation, seconds float64) health.Observation {
	o.At = epoch.Add(time.Duration(seconds * float64(time.Second)))
	return o
}

// observed returns the history of a node that works at second 0, followed by the observations, one second apart.
func observed(observations ...health.Observation) *history.History {
	h := history.New()
	m := health.NewMonitor(settings, h.Listen)
	ctx := traced()
	for _, o := range []health.Observation{jicofo(ok, ok), prosody(ok), word("ready")} {
		m.Observe(ctx, at(o, 0))
	}
	for i, o := range observations {
		m.Observe(ctx, at(o, float64(i+1)))
	}
	return h
}

// traced returns the context of a poll.
func traced() context.Context {
	id, _ := trace.TraceIDFromHex("4bf92f3577b34da6a3ce929d0e0e4736")
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: id}))
}

// TestPage compares a whole page byte for byte, because the endpoint sends it unchanged.
func TestPage(t *testing.T) {
	failed := unwell
	failed.Exchange = &health.Exchange{URL: "http://localhost:8888/about/health", Body: "busy",
		Attempts: []health.Attempt{{Start: epoch, Done: 0.01, Code: 503}}}
	page, err := json.MarshalIndent(observed(jicofo(failed, ok)).Since(epoch.Add(time.Second)), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
 "observations": [
  {
   "at": "2026-03-01T03:00:01.000Z",
   "trigger": "tick",
   "jicofo": {
    "health": {
     "code": 503,
     "exchange": {
      "url": "http://localhost:8888/about/health",
      "attempts": [
       {
        "start": "2026-03-01T03:00:00Z",
        "done": 0.01,
        "code": 503
       }
      ],
      "body": "busy"
     }
    },
    "stats": {
     "code": 200
    },
    "participants": 0,
    "conferences": 0
   }
  }
 ],
 "changes": [
  {
   "at": "2026-03-01T03:00:01.000Z",
   "from": "up ready 100%",
   "to": "up drain 0%",
   "state": "drain",
   "damped": true,
   "incident": "20260301T030001.000Z-",
   "reasons": [
    "jicofo_overloaded"
   ],
   "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"
  }
 ],
 "failures": {
  "census": [],
  "jicofo_health": [
   {
    "at": "2026-03-01T03:00:01.000Z",
    "trigger": "tick",
    "answer": {
     "code": 503,
     "exchange": {
      "url": "http://localhost:8888/about/health",
      "attempts": [
       {
        "start": "2026-03-01T03:00:00Z",
        "done": 0.01,
        "code": 503
       }
      ],
      "body": "busy"
     }
    }
   }
  ],
  "jicofo_stats": [],
  "prosody": [],
  "status_file": []
 }
}`
	if got := string(page); got != want {
		t.Errorf("the page is\n%s\nwant\n%s", got, want)
	}
}

// TestEmptyPage checks that lists are empty and never null.
func TestEmptyPage(t *testing.T) {
	text, _ := json.Marshal(history.New().Since(time.Time{}))
	const want = `{"observations":[],"changes":[],"failures":{"census":[],"jicofo_health":[],"jicofo_stats":[],"prosody":[],"status_file":[]}}`
	if string(text) != want {
		t.Errorf("the page is %s, want %s", text, want)
	}
}

// TestNewestFirst checks that a page starts with the latest entry and ends with the requested time.
func TestNewestFirst(t *testing.T) {
	h := observed(word("drain"), word("ready"), word("maint"))
	page := h.Since(epoch.Add(2 * time.Second))
	if len(page.Changes) != 2 || page.Changes[0].To != "up maint 0%" || page.Changes[1].To != "up ready 100%" ||
		len(page.Observations) != 2 {
		t.Errorf("the page is %+v", page)
	}
	if all := h.Since(time.Time{}); len(all.Changes) != 4 || all.Changes[3].From != "" || len(all.Observations) != 6 {
		t.Errorf("all is %+v", all)
	}
}

// TestFailuresAreKept checks that the failures of each probe are kept under its name, whatever else happens.
func TestFailuresAreKept(t *testing.T) {
	stats := jicofo(ok, ok)
	stats.Jicofo.StatsProblem = "no number"
	census := health.Observation{Census: &health.Census{Answer: ok, Problem: "not JSON", Rooms: []byte(`[]`)}}
	wrong := []health.Observation{
		jicofo(unwell, refused), stats, prosody(refused), census, word("raedy"),
		{StatusFile: &health.StatusFile{Problem: "no such file"}},
	}
	for range 1000 {
		wrong = append(wrong, jicofo(ok, ok), prosody(ok), prosody(refused), word("unhealthy"))
	}
	page := observed(wrong...).Since(time.Time{})
	for probe, want := range map[health.Probe]int{
		health.ProbeJicofoHealth: 1, health.ProbeJicofoStats: 2, health.ProbeProsody: history.MaxFailures,
		health.ProbeCensus: 1, health.ProbeStatusFile: 2,
	} {
		if got := len(page.Failures[probe]); got != want {
			t.Errorf("%d failures of %s are kept, want %d", got, probe, want)
		}
	}
	if f := page.Failures[health.ProbeJicofoStats]; f[0].Problem != "no number" ||
		f[1].Answer.Detail != testbed.Refused.Detail {
		t.Errorf("the failures of the statistics are %+v", f)
	}
}

// TestDeadline checks that a change at a deadline has the deadline's time and no trace, even if an observation came
// before the timer fired.
func TestDeadline(t *testing.T) {
	h := history.New()
	m := health.NewMonitor(settings, h.Listen)
	for _, o := range []health.Observation{
		at(jicofo(ok, ok), 0), at(prosody(ok), 0), at(word("ready"), 0), at(jicofo(unwell, ok), 1), at(prosody(ok), 300),
	} {
		m.Observe(traced(), o)
	}
	got, _ := json.Marshal(h.Since(epoch.Add(100 * time.Second)).Changes)
	const want = `[{"at":"2026-03-01T03:02:01.000Z","from":"up drain 0%","to":"down ready 100%","state":"down","damped":false,"incident":"20260301T030001.000Z-","reasons":["jicofo_overloaded"]}]`
	if string(got) != want {
		t.Errorf("the changes are %s, want %s", got, want)
	}
}

// TestBounds checks that the history stays within its bounds for many and for large observations.
func TestBounds(t *testing.T) {
	h := history.New()
	m := health.NewMonitor(settings, h.Listen)
	second := 0.0
	fill := func(n int) {
		for i := range n {
			bad := jicofo(unwell, refused)
			bad.Jicofo.Contents = strings.Repeat("x", 64<<10)
			rooms := health.Observation{Census: &health.Census{Answer: ok, Rooms: bytes.Repeat([]byte("x"), 1<<20)}}
			for _, o := range []health.Observation{bad, prosody(ok), word([]string{"ready", "maint"}[i%2]), rooms} {
				second++
				m.Observe(context.Background(), at(o, second))
			}
		}
	}
	fill(1000)
	page := h.Since(time.Time{})
	if len(page.Observations) != history.MaxObservations || len(page.Changes) != history.MaxChanges ||
		len(page.Failures[health.ProbeJicofoHealth]) != history.MaxFailures {
		t.Errorf("%d observations, %d changes, %d failures", len(page.Observations), len(page.Changes),
			len(page.Failures[health.ProbeJicofoHealth]))
	}
	if text, err := json.Marshal(page); err != nil || len(text) > 1<<20 {
		t.Errorf("the page takes %d bytes (%v), want at most 1 MiB: 720 bounded observations", len(text), err)
	}
}

// TestSamples checks that a sample covers five seconds unless the verdict changes, and that an hour of samples is kept.
func TestSamples(t *testing.T) {
	h := history.New()
	m := health.NewMonitor(settings, h.Listen)
	const seconds = 6000
	for s := range seconds {
		slow := ok
		slow.Took = float64(s)
		m.Observe(t.Context(), at(prosody(slow), float64(s)))
		m.Observe(t.Context(), at(word("ready"), float64(s)+0.5))
	}
	samples := h.Samples()
	if len(samples) != history.MaxSamples {
		t.Fatalf("%d samples", len(samples))
	}
	for i, s := range samples {
		began := epoch.Add((seconds - 5 - 5*time.Duration(i)) * time.Second)
		if want := float32(seconds - 1 - 5*i); !s.Began.Equal(began) || s.Probe(health.ProbeProsody).Took != want ||
			s.Word != health.WordReady {
			t.Fatalf("sample %d is %+v, want one of %s with %v s", i, s, began, want)
		}
	}
	if kept := samples[0].Began.Sub(samples[len(samples)-1].Began) + history.SampleTime; kept < time.Hour {
		t.Errorf("the samples cover %s", kept)
	}

	samples = observed(word("ready"), jicofo(unwell, ok), word("ready")).Samples()
	if len(samples) != 3 || !samples[0].Began.Equal(epoch.Add(2*time.Second)) || samples[0].Weight != 0 ||
		samples[1].Weight != 100 {
		t.Errorf("the samples of a change are %+v", samples)
	}
}

// TestChanges checks that Changes returns the same changes as the page, newest first.
func TestChanges(t *testing.T) {
	changes := observed(word("drain")).Changes()
	if len(changes) != 2 || changes[0].State != "drain" || changes[1].State != "ready" || changes[0].TraceID == "" {
		t.Errorf("the changes are %+v", changes)
	}
}
