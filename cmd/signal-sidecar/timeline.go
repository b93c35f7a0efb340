package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// replayedRun is one run of a recording, replayed.
type replayedRun struct {
	Start        health.Time `json:"start"`
	End          health.Time `json:"end"`
	Observations int         `json:"observations"`
	// Timeline is what was said, under the recorded settings.
	Timeline []said `json:"timeline"`
	// Set, Changed and Difference are there with --set: what was set, what would have been said, and that in a sentence.
	Set        []string `json:"set,omitempty"`
	Changed    []said   `json:"changed,omitempty"`
	Difference string   `json:"difference,omitempty"`
}

// said is a verdict, from the moment on when it was said.
type said struct {
	At       health.Time   `json:"at"`
	Agent    string        `json:"agent"`
	State    string        `json:"state"`
	Damped   bool          `json:"damped"`
	Until    *health.Time  `json:"until,omitempty"`
	Incident string        `json:"incident,omitempty"`
	Reason   health.Code   `json:"reason"`
	Reasons  []health.Code `json:"reasons"`
}

// timelineOf replays a run and returns each verdict that differs from the one before, also by its weight alone. A run
// that goes on from another begins with the verdict that it found.
func timelineOf(run *health.Run, cfg health.Config) []said {
	timeline := []said{}
	before := health.Verdict{}
	add := func(at time.Time, v health.Verdict) {
		if !v.Same(before) || v.AgentLine() != before.AgentLine() {
			timeline = append(timeline, say(at, v))
		}
		before = v
	}
	add(run.Start, run.Machine(cfg).Verdict())
	for step := range run.Steps(cfg) {
		for _, c := range step.Changes {
			add(c.At, c.To)
		}
		add(step.At, step.Verdict)
	}
	return timeline
}

func say(at time.Time, v health.Verdict) said {
	s := said{
		At: health.Time(at), Agent: v.AgentLine(), State: v.State(), Damped: v.Damped, Incident: v.Incident, Reason: v.RootReason(),
		Reasons: v.Codes(),
	}
	if !v.Until.IsZero() {
		s.Until = new(health.Time(v.Until))
	}
	return s
}

// difference says in a sentence what would have been different with other settings: whether and when the shard would
// have gone down, if that is not the same, else been drained, else been up and ready, else what would have been said.
func (r replayedRun) difference() string {
	for _, aspect := range []struct {
		participle string
		states     []string
	}{
		{"gone down", []string{health.StateDown}},
		{"been drained", []string{"drain", "maint", "unknown"}},
		{"been up and ready", []string{"ready"}},
	} {
		recorded, changed := moments(r.Timeline, aspect.states), moments(r.Changed, aspect.states)
		for i := range max(len(recorded), len(changed)) {
			if i == len(recorded) || i == len(changed) || !recorded[i].Equal(changed[i]) {
				return r.differenceAt(aspect.participle, i, recorded, changed)
			}
		}
	}
	return r.otherwise()
}

// moments returns when a timeline came to one of the states.
func moments(timeline []said, states []string) []time.Time {
	var all []time.Time
	was := false
	for _, s := range timeline {
		is := false
		for _, state := range states {
			is = is || s.State == state
		}
		if is && !was {
			all = append(all, time.Time(s.At))
		}
		was = is
	}
	return all
}

// differenceAt is the sentence about the i-th moment of each, the first that is not the same.
func (r replayedRun) differenceAt(participle string, i int, recorded, changed []time.Time) string {
	if i > 0 {
		participle += " again"
	}
	then := "never"
	switch {
	case i < len(recorded):
		then = "at " + r.clock(recorded[i])
	case i > 0:
		then = "not again"
	}
	if i == len(changed) {
		return fmt.Sprintf("with %s this shard would not have %s (as recorded: %s)", r.set(), participle, then)
	}
	return fmt.Sprintf("with %s this shard would have %s at %s (as recorded: %s)", r.set(), participle, r.clock(changed[i]), then)
}

// otherwise is the sentence about timelines that come to the same states at the same moments.
func (r replayedRun) otherwise() string {
	for i := range max(len(r.Timeline), len(r.Changed)) {
		recorded, changed := r.lineAt(r.Timeline, i), r.lineAt(r.Changed, i)
		if recorded != changed {
			return fmt.Sprintf("with %s this shard would have said %s (as recorded: %s)", r.set(), changed, recorded)
		}
	}
	return fmt.Sprintf("with %s nothing would have been different", r.set())
}

func (r replayedRun) lineAt(timeline []said, i int) string {
	if i == len(timeline) {
		return "nothing more"
	}
	return fmt.Sprintf("%q at %s", timeline[i].Agent, r.clock(time.Time(timeline[i].At)))
}

func (r replayedRun) set() string { return strings.Join(r.Set, " ") }

// clock is the time of day, UTC, with the date only where it is not the run's first.
func (r replayedRun) clock(at time.Time) string {
	if first := time.Time(r.Start).UTC(); at.UTC().Truncate(24*time.Hour) != first.Truncate(24*time.Hour) {
		return stamp(health.Time(at))
	}
	return timeOfDay(at)
}

func timeOfDay(at time.Time) string { return at.UTC().Format("15:04:05.000Z") }
