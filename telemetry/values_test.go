package telemetry

import (
	"maps"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// prefixes are the prefixes of the metrics of the snapshot.
var prefixes = []string{
	"signal_health", "signal_unhealthy", "signal_census", "prosody_", "signal_verdict_raw", "signal_verdict_damped",
	"signal_verdict_status", "signal_verdict_weight", "signal_jicofo", "signal_observation", "signal_tolerated",
}

// with returns before with some values changed. The value absent removes a metric.
func with(before, changes map[string]float64) map[string]float64 {
	after := maps.Clone(before)
	maps.Copy(after, changes)
	maps.DeleteFunc(after, func(_ string, v float64) bool { return v == absent })
	return after
}

const absent = -1

func (s *stage) wantValues(t *testing.T, when string, want map[string]float64) {
	t.Helper()
	got := s.values(t, prefixes...)
	for name, value := range want {
		if v, ok := got[name]; !ok || v != value {
			t.Errorf("%s: %s is %v (shown: %t), want %v", when, name, v, ok, value)
		}
	}
	for name, value := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s %v is shown", when, name, value)
		}
	}
}

// TestValuesFollowTheSnapshots checks that unknown values are absent, and that all others are those of the latest
// snapshot.
func TestValuesFollowTheSnapshots(t *testing.T) {
	s, ctx := newStage(t, rules), t.Context()
	want := map[string]float64{"signal_unhealthy_total": 0}
	s.wantValues(t, "at first", want)

	s.observe(ctx, jicofo(200, 1250, 45), prosody(200))
	want = with(want, map[string]float64{
		"signal_jicofo_participants": 1250, "signal_jicofo_conferences": 45,
		"signal_observation_timestamp_seconds": 1767323045.678,
	})
	s.wantValues(t, "before the first verdict", want)

	s.observe(ctx, statusFile("ready"))
	want = with(want, map[string]float64{
		"signal_health": 1, "signal_verdict_raw_health": 1, "signal_verdict_damped": 0, "signal_verdict_weight_percent": 75,
		"signal_verdict_status{status=ready}": 1, "signal_verdict_status{status=drain}": 0,
		"signal_verdict_status{status=maint}": 0, "signal_verdict_status{status=unknown}": 0,
		"signal_tolerated{service=jicofo}": 0, "signal_tolerated{service=prosody}": 0,
	})
	s.wantValues(t, "up", want)

	counted := census(200, 7, 25)
	counted.Census.Leaked, counted.Census.Odd = 2, 1
	s.observe(ctx, counted)
	want = with(want, map[string]float64{
		"signal_census": 1, "signal_census_participants": 7, "prosody_participant_sum_squared": 25,
		"signal_census_leaked_rooms": 2, "signal_census_odd_rooms": 1,
	})
	s.wantValues(t, "with a census", want)

	s.observe(ctx, census(400, 0, 0))
	want = with(want, map[string]float64{
		"signal_census": 0, "signal_census_participants": absent, "prosody_participant_sum_squared": absent,
		"signal_census_leaked_rooms": absent, "signal_census_odd_rooms": absent,
	})
	s.wantValues(t, "without a census", want)

	s.observe(ctx, jicofo(503, 0, 0))
	want = with(want, map[string]float64{
		"signal_verdict_raw_health": 0, "signal_verdict_damped": 1, "signal_verdict_weight_percent": 0,
		"signal_unhealthy_total":              1,
		"signal_verdict_status{status=ready}": 0, "signal_verdict_status{status=drain}": 1,
		"signal_jicofo_participants": absent, "signal_jicofo_conferences": absent,
	})
	s.wantValues(t, "in grace", want)

	s.observe(ctx, prosody(500))
	want = with(want, map[string]float64{
		"signal_health": 0, "signal_verdict_damped": 0,
		"signal_verdict_status{status=ready}": 1, "signal_verdict_status{status=drain}": 0,
	})
	s.wantValues(t, "down", want)

	s.observe(ctx, prosody(200), jicofo(200, 1250, 45))
	want = with(want, map[string]float64{
		"signal_verdict_raw_health": 1, "signal_verdict_damped": 1, "signal_verdict_weight_percent": 75,
		"signal_jicofo_participants": 1250, "signal_jicofo_conferences": 45,
	})
	s.observe(ctx, statusFile("?"))
	want = with(want, map[string]float64{
		"signal_verdict_status{status=ready}": 0, "signal_verdict_status{status=unknown}": 1,
	})
	s.wantValues(t, "dampened, with an unknown word", want)
}

// TestNoCensusMetricsWithoutCensus checks that there are no metrics of the census without CENSUS_POLL.
func TestNoCensusMetricsWithoutCensus(t *testing.T) {
	config := rules
	config.Census = false
	s := newStage(t, config)
	s.upReady(t.Context())
	if got := s.values(t, "signal_census", "prosody_participant"); len(got) != 0 {
		t.Errorf("shown: %v", got)
	}
}

// TestToleratedService checks that a tolerated service is exported as such, and that the health does not change.
func TestToleratedService(t *testing.T) {
	config := rules
	config.UnreachableTolerance = time.Second
	s := newStage(t, config)
	s.upReady(t.Context())
	refused := prosody(0)
	refused.Prosody.Health.Failure = health.FailureRefused
	s.observe(t.Context(), refused)
	want := map[string]float64{
		"signal_tolerated{service=jicofo}": 0, "signal_tolerated{service=prosody}": 1, "signal_health": 1,
	}
	if got := s.values(t, "signal_tolerated", "signal_health"); !maps.Equal(got, want) {
		t.Errorf("shown: %v, want %v", got, want)
	}
}
