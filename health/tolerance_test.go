package health_test

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
)

func tolerant(tolerance time.Duration) health.Config {
	cfg := defaultConfig()
	cfg.UnreachableTolerance = tolerance
	return cfg
}

// TestToleranceIsExplained checks that the explanation shows a tolerated service, and that the reason has the time of
// the first failure once the tolerance has ended.
func TestToleranceIsExplained(t *testing.T) {
	m, n := health.NewMonitor(tolerant(2*time.Second)), workingNode()
	for _, p := range everyPart {
		m.Observe(context.Background(), n.observe(p, epoch))
	}
	refused := func(at time.Duration) *health.Snapshot {
		n.prosody.Health = health.Answer{Failure: health.FailureRefused, Detail: "does not accept connections at \x1bhost:1", Error: "connect: connection refused"}
		m.Observe(context.Background(), n.observe(partProsody, epoch.Add(at)))
		return m.Current()
	}
	s := refused(10*time.Second + 250*time.Millisecond)
	want := []health.ExplainedTolerance{{
		Service: "prosody", Text: "prosody does not accept connections at ?host:1",
		Since: health.Time(epoch.Add(10*time.Second + 250*time.Millisecond)),
		Until: health.Time(epoch.Add(12*time.Second + 250*time.Millisecond)),
	}}
	if got := s.Explain(); !reflect.DeepEqual(got.Tolerated, want) || len(got.Reasons) != 0 || got.Next == nil ||
		got.Next.State != "down" {
		t.Errorf("explained %+v, want %+v", got, want)
	}
	if !s.Tolerates("prosody") || s.Tolerates("jicofo") || !s.Report().Services.ProsodyHealthy {
		t.Errorf("prosody is not tolerated: %+v", s.Report())
	}
	for _, at := range []time.Duration{12250 * time.Millisecond, 13 * time.Second} {
		got := refused(at).Verdict.Reasons
		if len(got) != 1 || got[0].Text != "prosody does not accept connections at ?host:1 (first at 12:00:10.250Z)" ||
			got[0].Error != "connect: connection refused" ||
			!got[0].Since.Equal(epoch.Add(12250*time.Millisecond)) {
			t.Errorf("at %s the reasons are %+v", at, got)
		}
	}
	if m.Current().Tolerates("prosody") || m.Current().Explain().Tolerated != nil {
		t.Error("prosody is still tolerated")
	}
}

// TestOvertakenTolerance checks that an observation that arrives before the timers fire is one step with every change
// that was due.
func TestOvertakenTolerance(t *testing.T) {
	var steps []health.Step
	m := health.NewMonitor(tolerant(2*time.Second), func(_ context.Context, step health.Step, _ *health.Snapshot) {
		steps = append(steps, step)
	})
	n := workingNode()
	see := func(p part, at time.Duration) { m.Observe(context.Background(), n.observe(p, epoch.Add(at))) }
	for _, p := range everyPart {
		see(p, 0)
	}
	n.jicofo.Health, n.jicofo.Stats = failed(health.FailureRefused), failed(health.FailureRefused)
	see(partJicofo, 10*time.Second)
	n = workingNode()
	see(partJicofo, 200*time.Second)
	var got []string
	for _, c := range steps[len(steps)-1].Changes {
		got = append(got, c.At.Sub(epoch).String()+" "+c.To.AgentLine())
	}
	want := []string{"12s up drain 0%", "2m12s down ready 100%", "3m20s up ready 100%"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the changes are %q, want %q", got, want)
	}
}

// TestToleranceSurvivesACheckpoint checks that saving and restoring a machine at any time does not change its verdicts.
func TestToleranceSurvivesACheckpoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := tolerant(2 * time.Second)
		restored := machineAtEpoch(cfg)
		drawTimeline(t, cfg, func(_ *health.Machine, s step, _ time.Duration, v health.Verdict) {
			text, err := json.Marshal(restored)
			if err != nil {
				t.Fatal(err)
			}
			restored = health.NewMachine(cfg)
			if err := json.Unmarshal(text, restored); err != nil {
				t.Fatal(err)
			}
			if got := s.take(restored); !reflect.DeepEqual(got, v) {
				t.Fatalf("%s: %+v, without checkpoints %+v", s, got, v)
			}
		})
	})
}
