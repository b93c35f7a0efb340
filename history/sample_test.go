package history

import (
	"context"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestSample sums up a few steps: the slowest run of each probe and whether a run failed, and the state after the last
// step.
func TestSample(t *testing.T) {
	at := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	s := Sample{Began: at}
	m := health.NewMonitor(health.Config{ParticipantMax: 5000, DrainGraceScope: health.ScopeJicofo},
		func(_ context.Context, step health.Step, after *health.Snapshot) {
			s.add(step, after)
		})
	observe := func(o health.Observation) {
		at = at.Add(time.Second)
		o.At = at
		m.Observe(t.Context(), o)
	}
	if s.Known || s.Probe(health.ProbeJicofoHealth).Ran || s.Word != "" {
		t.Errorf("an empty sample is %+v", s)
	}
	observe(health.Observation{Jicofo: &health.Jicofo{Health: health.Answer{Code: 200, Took: 0.5},
		Stats: health.Answer{Code: 200, Took: 0.25}, Participants: 7}})
	observe(health.Observation{Prosody: &health.Prosody{Health: health.Answer{Failure: health.FailureTimeout, Took: 3}}})
	observe(health.Observation{Prosody: &health.Prosody{Health: health.Answer{Code: 200, Took: 1}}})
	if s.Known {
		t.Error("the sample has a verdict before there is one")
	}
	observe(health.Observation{StatusFile: &health.StatusFile{Found: true, Contents: "MAINT\n"}})
	observe(health.Observation{Jicofo: &health.Jicofo{Health: health.Answer{Code: 200, Took: 0.125},
		Stats: health.Answer{Code: 200}, StatsProblem: "no number"}})
	want := Sample{Began: s.Began, Known: true, Down: true, Weight: 0, Word: health.WordMaint}
	*want.Probe(health.ProbeJicofoHealth) = ProbeSample{Took: 0.5, Ran: true}
	*want.Probe(health.ProbeJicofoStats) = ProbeSample{
		Took: 0.25, FailedAfter: 5, Ran: true, Failed: true, FailedLast: true,
	}
	*want.Probe(health.ProbeProsody) = ProbeSample{Took: 3, FailedAfter: 2, Ran: true, Failed: true, FailedFirst: true}
	*want.Probe(health.ProbeStatusFile) = ProbeSample{Ran: true}
	if s != want {
		t.Errorf("the sample is\n%+v, want\n%+v", s, want)
	}
	observe(health.Observation{Census: &health.Census{Answer: health.Answer{Code: 404, Took: 2}}})
	observe(health.Observation{Jicofo: &health.Jicofo{Health: health.Answer{Code: 200}, Stats: health.Answer{Code: 200},
		Participants: 12}})
	observe(health.Observation{StatusFile: &health.StatusFile{Found: true, Contents: "ready"}})
	*want.Probe(health.ProbeCensus) = ProbeSample{
		Took: 2, FailedAfter: 6, Ran: true, Failed: true, FailedFirst: true, FailedLast: true,
	}
	want.Probe(health.ProbeJicofoStats).FailedLast = false
	want.Down, want.Loaded, want.Participants, want.Weight, want.Word = false, true, 12, 100, health.WordReady
	if s != want {
		t.Errorf("the sample is\n%+v, want\n%+v", s, want)
	}
}
