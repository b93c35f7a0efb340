package recording

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// Replayed is the replay of one run.
type Replayed struct {
	Start        health.Time `json:"start"`
	End          health.Time `json:"end"`
	Observations int         `json:"observations"`
	// Timeline holds the verdicts under the recorded settings.
	Timeline []moment `json:"timeline"`
	// Set, Changed and Difference describe a replay with other settings: the settings, the verdicts under them, and a
	// sentence about the difference. They are empty without other settings.
	Set        []string `json:"set,omitempty"`
	Changed    []moment `json:"changed,omitempty"`
	Difference string   `json:"difference,omitempty"`

	// Deviation is the first difference of the replay with the recorded settings from the recorded verdicts; nil if there
	// is none, or if lines of the run could not be read.
	Deviation *Problem `json:"-"`
}

// moment is a verdict and the time from which it holds.
type moment struct {
	At       health.Time   `json:"at"`
	Agent    string        `json:"agent"`
	State    string        `json:"state"`
	Damped   bool          `json:"damped"`
	Until    *health.Time  `json:"until,omitempty"`
	Incident string        `json:"incident,omitempty"`
	Reason   health.Code   `json:"reason"`
	Reasons  []health.Code `json:"reasons"`
}

// Replay replays each run of a recording while it is read: with the recorded config and, if settings are given, each
// NAME=VALUE, also with the config that change returns for it. Only verdicts are kept in memory.
func Replay(r io.Reader, settings []string, change func(health.Config) health.Config) ([]*Replayed, *Recording) {
	var all []*Replayed
	recording := read(r, func(run *Run) sink {
		s := &replaying{run: run, compare: comparison{run: run}, result: &Replayed{Start: health.Time(run.Start)}}
		s.recorded = newTimeline(run, run.Config, s.compare.step)
		if len(settings) > 0 {
			s.result.Set = settings
			s.changed = newTimeline(run, change(run.Config), func(health.Step) {})
		}
		all = append(all, s.result)
		return s
	})
	return all, recording
}

// replaying replays a run while it is read.
type replaying struct {
	run               *Run
	result            *Replayed
	recorded, changed *timeline // changed is nil without other settings
	compare           comparison
}

func (r *replaying) observation(o health.Observation) {
	r.result.Observations++
	r.recorded.player.observe(o)
	if r.changed != nil {
		r.changed.player.observe(o)
	}
}

func (r *replaying) change(c Change) { r.compare.add(&r.compare.recorded, c) }

func (r *replaying) end() {
	r.result.End = health.Time(r.run.End)
	r.recorded.player.advance(r.run.End)
	r.result.Timeline = r.recorded.moments
	if r.changed != nil {
		r.changed.player.advance(r.run.End)
		r.result.Changed = r.changed.moments
		r.result.Difference = r.result.difference()
	}
	if deviation := r.compare.end(); r.run.Complete {
		r.result.Deviation = deviation
	}
}

// timeline is a replay, and each verdict in it that differs from the previous one. A new weight alone counts as a
// difference. A run that continues another one begins with the verdict at its start.
type timeline struct {
	player  player
	moments []moment
	before  health.Verdict
}

// newTimeline returns the timeline at the start of a run. It passes each step on to also.
func newTimeline(run *Run, cfg health.Config, also func(health.Step)) *timeline {
	t := &timeline{moments: []moment{}}
	t.player = player{run.Machine(cfg), func(step health.Step) {
		for _, c := range step.Changes {
			t.add(c.At, c.To)
		}
		t.add(step.At, step.Verdict)
		also(step)
	}}
	t.add(run.Start, t.player.machine.Verdict())
	return t
}

func (t *timeline) add(at time.Time, v health.Verdict) {
	if !v.Same(t.before) || v.AgentLine() != t.before.AgentLine() {
		t.moments = append(t.moments, newMoment(at, v))
	}
	t.before = v
}

func newMoment(at time.Time, v health.Verdict) moment {
	m := moment{
		At: health.Time(at), Agent: v.AgentLine(), State: v.State(), Damped: v.Damped, Incident: v.Incident,
		Reason: v.RootReason(), Reasons: v.Codes(),
	}
	if !v.Until.IsZero() {
		m.Until = new(health.Time(v.Until))
	}
	return m
}

// difference returns a sentence about the difference with other settings. It reports the first of these that differs:
// when the shard would have gone down, been drained, or been up and ready; otherwise which agent replies differ.
func (r *Replayed) difference() string {
	for _, aspect := range []struct {
		participle string
		states     []string
	}{
		{"gone down", []string{health.StateDown}},
		{"been drained", []string{"drain", "maint", "unknown"}},
		{"been up and ready", []string{"ready"}},
	} {
		recorded, changed := arrivals(r.Timeline, aspect.states), arrivals(r.Changed, aspect.states)
		for i := range max(len(recorded), len(changed)) {
			if i == len(recorded) || i == len(changed) || !recorded[i].Equal(changed[i]) {
				return r.differenceAt(aspect.participle, i, recorded, changed)
			}
		}
	}
	return r.otherwise()
}

// arrivals returns the times at which a timeline entered one of the states.
func arrivals(timeline []moment, states []string) []time.Time {
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

// differenceAt returns the sentence about the i-th time, the first that differs.
func (r *Replayed) differenceAt(participle string, i int, recorded, changed []time.Time) string {
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
	return fmt.Sprintf("with %s this shard would have %s at %s (as recorded: %s)",
		r.set(), participle, r.clock(changed[i]), then)
}

// otherwise returns the sentence about timelines that enter the same states at the same times.
func (r *Replayed) otherwise() string {
	for i := range max(len(r.Timeline), len(r.Changed)) {
		recorded, changed := r.lineAt(r.Timeline, i), r.lineAt(r.Changed, i)
		if recorded != changed {
			return fmt.Sprintf("with %s the reply would have been %s (as recorded: %s)", r.set(), changed, recorded)
		}
	}
	return fmt.Sprintf("with %s nothing would have been different", r.set())
}

func (r *Replayed) lineAt(timeline []moment, i int) string {
	if i == len(timeline) {
		return "nothing more"
	}
	return fmt.Sprintf("%q at %s", timeline[i].Agent, r.clock(time.Time(timeline[i].At)))
}

func (r *Replayed) set() string { return strings.Join(r.Set, " ") }

// clock returns the time of day in UTC, with the date if it is not the first day of the run.
func (r *Replayed) clock(at time.Time) string {
	if first := time.Time(r.Start).UTC(); at.UTC().Truncate(24*time.Hour) != first.Truncate(24*time.Hour) {
		return stamp(health.Time(at))
	}
	return timeOfDay(at)
}

func timeOfDay(at time.Time) string { return at.UTC().Format("15:04:05.000Z") }
