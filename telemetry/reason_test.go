package telemetry

import (
	"testing"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// wantReasons checks that exactly these reasons are exported as in force, and all other declared ones as not.
func (s *stage) wantReasons(t *testing.T, when string, inForce ...health.Code) {
	t.Helper()
	want := map[string]float64{}
	for _, code := range health.Codes {
		want["signal_reason{code="+string(code)+"}"] = 0
	}
	for _, code := range inForce {
		want["signal_reason{code="+string(code)+"}"] = 1
	}
	got := s.values(t, "signal_reason")
	for name, value := range want {
		if v, ok := got[name]; !ok || v != value {
			t.Errorf("%s: %s is %v (shown: %t), want %v", when, name, v, ok, value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d reasons are shown, %d are declared", when, len(got), len(want))
	}
}

// TestReasonsFollowTheVerdict checks that each reason is 1 as long as it is in force.
func TestReasonsFollowTheVerdict(t *testing.T) {
	s, ctx := newStage(t, rules), t.Context()
	if got := s.values(t, "signal_reason"); len(got) > 0 {
		t.Errorf("before the first verdict: %v", got)
	}
	s.observe(ctx, jicofo(503, 0, 0), prosody(500))
	if got := s.values(t, "signal_reason"); len(got) > 0 {
		t.Errorf("before the first verdict, with failures: %v", got)
	}
	s = newStage(t, rules)
	s.upReady(ctx)
	s.wantReasons(t, "up")
	for _, step := range []struct {
		name    string
		seen    health.Observation
		inForce []health.Code
	}{
		{"drain", statusFile("drain"), []health.Code{health.ReasonStatusDrain}},
		{"maint", statusFile("maint"), []health.Code{health.ReasonStatusMaint}},
		{"an unknown word", statusFile("\xff\x00"), []health.Code{health.ReasonStatusUnknown}},
		{"ready", statusFile("ready"), nil},
		{"overloaded by participants", jicofo(200, 5001, 10), []health.Code{health.ReasonParticipantsMax}},
		{"in grace", jicofo(503, 0, 0), []health.Code{health.ReasonJicofoOverloaded}},
		{"in grace and maint", statusFile("maint"), []health.Code{health.ReasonJicofoOverloaded, health.ReasonStatusMaint}},
		{"prosody fails too", prosody(404), []health.Code{
			health.ReasonProsodyUnhealthy, health.ReasonJicofoOverloaded, health.ReasonStatusMaint}},
		{"jicofo fails otherwise", jicofo(500, 0, 0), []health.Code{
			health.ReasonProsodyUnhealthy, health.ReasonJicofoUnhealthy, health.ReasonStatusMaint}},
		{"jicofo is well", jicofo(200, 1, 1), []health.Code{health.ReasonProsodyUnhealthy, health.ReasonStatusMaint}},
		{"all is well, dampened", prosody(200), []health.Code{health.ReasonStatusMaint, health.ReasonDampening}},
		{"the file is gone", health.Observation{StatusFile: &health.StatusFile{Problem: "gone"}},
			[]health.Code{health.ReasonStatusFileMissing}},
		{"unhealthy", statusFile("unhealthy"), []health.Code{health.ReasonStatusUnhealthy}},
		{"ready, dampened", statusFile("ready"), []health.Code{health.ReasonDampening}},
		{"a census that fails", census(500, 0, 0), []health.Code{health.ReasonDampening}},
	} {
		s.observe(ctx, step.seen)
		s.wantReasons(t, step.name, step.inForce...)
		if t.Failed() {
			break
		}
	}
}
