package health_test

import (
	"fmt"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// ExampleMachine shows an overloaded jicofo: the node drains for the grace interval and is then down. Its recovery is
// dampened.
func ExampleMachine() {
	machine := health.NewMachine(health.Config{
		ParticipantMax: 5000, DrainGrace: 120 * time.Second, HealthDampening: 30 * time.Second,
		DrainGraceScope: health.ScopeJicofo,
	})
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tell := func(seconds int, v health.Verdict) {
		fmt.Printf("%3ds  %-15s  %s\n", seconds, v.AgentLine(), v.RootReason())
	}
	observe := func(seconds int, o health.Observation) health.Verdict {
		o.At = start.Add(time.Duration(seconds) * time.Second)
		return machine.Observe(o).Verdict
	}
	ok := health.Answer{Code: 200}
	working := &health.Jicofo{Health: ok, Stats: ok}

	observe(0, health.Observation{Prosody: &health.Prosody{Health: ok}})
	observe(0, health.Observation{StatusFile: &health.StatusFile{Found: true, Contents: "ready"}})
	tell(0, observe(0, health.Observation{Jicofo: working}))
	drain := observe(10, health.Observation{Jicofo: &health.Jicofo{Health: health.Answer{Code: 503}, Stats: ok}})
	tell(10, drain)
	machine.Advance(drain.Until)
	tell(130, machine.Verdict())
	observe(195, health.Observation{Jicofo: &health.Jicofo{Health: health.Answer{Code: 503}, Stats: ok}})
	dampened := observe(200, health.Observation{Jicofo: working})
	tell(200, dampened)
	machine.Advance(dampened.Until)
	tell(225, machine.Verdict())
	// Output:
	//   0s  up ready 100%    none
	//  10s  up drain 0%      jicofo_overloaded
	// 130s  down ready 100%  jicofo_overloaded
	// 200s  down ready 100%  dampening
	// 225s  up ready 100%    none
}
