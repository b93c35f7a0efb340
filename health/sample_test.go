package health

import (
	"context"
	"testing"
	"time"
)

// TestSample sums up a few snapshots: of each probe the slowest run and whether one failed, of the rest the last.
func TestSample(t *testing.T) {
	var s Sample
	m := NewMonitor(Config{ParticipantMax: 5000, DrainGraceScope: ScopeJicofo}, func(_ context.Context, step Step, after *Snapshot) {
		s.Add(step, after)
	})
	at := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	observe := func(o Observation) {
		at = at.Add(time.Second)
		o.At = at
		m.Observe(t.Context(), o)
	}
	if s.Known || s.Probe(ProbeJicofoHealth).Ran || s.Word != "" {
		t.Errorf("an empty sample is %+v", s)
	}
	observe(Observation{Jicofo: &Jicofo{Health: Answer{Code: 200, Took: 0.5}, Stats: Answer{Code: 200, Took: 0.25}, Participants: 7}})
	observe(Observation{Prosody: &Prosody{Health: Answer{Failure: FailureTimeout, Took: 3}}})
	observe(Observation{Prosody: &Prosody{Health: Answer{Code: 200, Took: 1}}})
	if s.Known {
		t.Error("a sample knows a verdict before there is one")
	}
	observe(Observation{StatusFile: &StatusFile{Found: true, Contents: "MAINT\n"}})
	observe(Observation{Jicofo: &Jicofo{Health: Answer{Code: 200, Took: 0.125}, Stats: Answer{Code: 200}, StatsProblem: "no number"}})
	want := Sample{
		probes: [...]ProbeSample{{0.5, true, false}, {0.25, true, true}, {3, true, true}, {}, {0, true, false}},
		Known:  true, Weight: 0, Word: WordMaint,
	}
	if s != want {
		t.Errorf("the sample is\n%+v, want\n%+v", s, want)
	}
	observe(Observation{Census: &Census{Answer: Answer{Code: 404, Took: 2}}})
	observe(Observation{Jicofo: &Jicofo{Health: Answer{Code: 200}, Stats: Answer{Code: 200}, Participants: 12}})
	observe(Observation{StatusFile: &StatusFile{Found: true, Contents: "ready"}})
	want.probes[3], want.Loaded, want.Participants, want.Weight, want.Word = ProbeSample{2, true, true}, true, 12, 100, WordReady
	if s != want {
		t.Errorf("the sample is\n%+v, want\n%+v", s, want)
	}
}
