package recording

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// Run is one part of a recording without a gap. Its times are the start plus monotonic time, so a jump of the wall
// clock during the recording does not change them.
type Run struct {
	// Line is the line of the header in the file, from 1.
	Line int
	// Start is the time of the header, End that of the last line.
	Start, End time.Time
	// Config is the config that was in use.
	Config health.Config
	// Observations are in the order in which they were taken in.
	Observations []health.Observation
	// Recorded are the recorded changes of the verdict.
	Recorded []Change
	// Complete reports whether every line of the run could be read.
	Complete bool

	machine *health.Machine // at the start; nil if it had no observations
}

// Change is a change of the verdict in a recording.
type Change struct {
	Line    int // in the file, from 1
	At      time.Time
	Agent   string
	Status  health.Status
	Damped  bool
	Reasons []health.Code
	Until   time.Time
	// Incident is named after the wall clock. A replay gives another name if the clock was set during the recording.
	Incident string
}

// changeOf returns a replayed change in the form of a recorded one.
func changeOf(c health.Change) Change {
	return Change{
		At: c.At, Agent: c.To.AgentLine(), Status: c.To.Status, Damped: c.To.Damped, Reasons: c.To.Codes(), Until: c.To.Until,
		Incident: c.Incident(),
	}
}

// same reports whether two changes are the same. It does not compare the names of the incidents.
func (c Change) same(d Change) bool {
	return c.At.Equal(d.At) && c.Agent == d.Agent && c.Status == d.Status && c.Damped == d.Damped &&
		c.Until.Equal(d.Until) && slices.Equal(c.Reasons, d.Reasons)
}

// String returns the change as one line.
func (c Change) String() string {
	text := fmt.Sprintf("%s %s (status %s)", c.At.UTC().Format(time.RFC3339Nano), c.Agent, c.Status)
	if c.Damped {
		text += " damped"
	}
	if !c.Until.IsZero() {
		text += " until " + c.Until.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(text, " ", c.Reasons)
}

// Machine returns the Machine at the start of the run, with the given config instead of the recorded one.
func (r *Run) Machine(cfg health.Config) *health.Machine {
	m := health.NewMachine(cfg)
	if r.machine != nil {
		m = r.machine.WithConfig(cfg)
	}
	m.Advance(r.Start)
	return m
}

// Steps replays the run with the given config and yields each step. The state at the start comes from the recorded
// config. Steps stops at the last line, because nothing was recorded after it.
func (r *Run) Steps(cfg health.Config) iter.Seq[health.Step] {
	return func(yield func(health.Step) bool) {
		m := r.Machine(cfg)
		for _, o := range r.Observations {
			if step, passed := m.Advance(o.At); passed && !yield(step) {
				return
			}
			if !yield(m.Observe(o)) {
				return
			}
		}
		if step, passed := m.Advance(r.End); passed {
			yield(step)
		}
	}
}

// Replay returns the changes of the verdict in Steps.
func (r *Run) Replay(cfg health.Config) []health.Change {
	var changes []health.Change
	for step := range r.Steps(cfg) {
		changes = append(changes, step.Changes...)
	}
	return changes
}

// Compare replays the run with the recorded config. It returns the first difference from the recorded changes, or nil.
func (r *Run) Compare() *Problem {
	replayed := r.Replay(r.Config)
	for i, c := range replayed {
		change := changeOf(c)
		if i == len(r.Recorded) {
			return &Problem{r.Line, "replayed, but not recorded: " + change.String()}
		}
		if recorded := r.Recorded[i]; !recorded.same(change) {
			return &Problem{recorded.Line, fmt.Sprintf("recorded: %s; replayed: %s", recorded, change)}
		}
	}
	if len(r.Recorded) > len(replayed) {
		recorded := r.Recorded[len(replayed)]
		return &Problem{recorded.Line, "recorded, but not replayed: " + recorded.String()}
	}
	return nil
}
