package recording

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// Run is one uninterrupted stretch of a recording. Its times are the start plus monotonic time: a jump of the wall clock
// while it was recorded does not show.
type Run struct {
	// Line is where it begins in the file, from 1.
	Line int
	// Start is its moment 0, End that of its last line.
	Start, End time.Time
	// Config is what was in force.
	Config health.Config
	// Observations are in the order in which they were taken in.
	Observations []health.Observation
	// Recorded are the changes of the verdict as they were recorded.
	Recorded []Change
	// Complete says that every line of it could be read.
	Complete bool

	machine *health.Machine // as it was at the start; nil when nothing had been seen
}

// Change is a change of the verdict as it stands in a recording.
type Change struct {
	Line    int // in the file, from 1
	At      time.Time
	Agent   string
	Status  health.Status
	Damped  bool
	Reasons []health.Code
	Until   time.Time
	// Incident was named after the wall clock: in a replay the name differs if that clock was set in between.
	Incident string
}

// changeOf returns a replayed change as it would stand in a recording.
func changeOf(c health.Change) Change {
	return Change{
		At: c.At, Agent: c.To.AgentLine(), Status: c.To.Status, Damped: c.To.Damped, Reasons: c.To.Codes(), Until: c.To.Until,
		Incident: c.Incident(),
	}
}

// same reports whether two changes are the same one. The name of the incident is not compared.
func (c Change) same(d Change) bool {
	return c.At.Equal(d.At) && c.Agent == d.Agent && c.Status == d.Status && c.Damped == d.Damped && c.Until.Equal(d.Until) &&
		slices.Equal(c.Reasons, d.Reasons)
}

// String returns the change in a line.
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

// Machine returns the Machine that the run begins with, under a config that need not be the recorded one.
func (r *Run) Machine(cfg health.Config) *health.Machine {
	m := health.NewMachine(cfg)
	if r.machine != nil {
		m = r.machine.WithConfig(cfg)
	}
	m.Advance(r.Start)
	return m
}

// Steps runs Machine over what was recorded and yields each step. What came before the run came under the recorded config.
// What would have come after its last line was not recorded, and is not made up.
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

// Compare replays under the recorded config and returns the first disagreement with what was recorded, or nil.
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
