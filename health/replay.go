package health

import (
	"fmt"
	"iter"
	"slices"
	"time"
)

// Run is one uninterrupted stretch of a recording. Its times are the start plus monotonic time: a jump of the wall clock
// while it was recorded does not show.
type Run struct {
	// Line is where it begins in the file, from 1.
	Line int
	// Start is its moment 0, End that of its last line.
	Start, End time.Time
	// Config is what was in force.
	Config Config
	// Observations are in the order in which they were taken in.
	Observations []Observation
	// Recorded are the changes of the verdict as they were recorded.
	Recorded []RecordedChange
	// Complete says that every line of it could be read.
	Complete bool

	machine *Machine // as it was at the start; nil when nothing had been seen
}

// RecordedChange is a change of the verdict as a recording tells it.
type RecordedChange struct {
	Line    int // in the file, from 1
	At      time.Time
	Agent   string
	Status  Status
	Damped  bool
	Reasons []Code
	Until   time.Time
	// Incident was named after the wall clock: in a replay the name differs if that clock was set in between.
	Incident string
}

// Is reports whether a replayed change is the recorded one. The name of the incident is not compared.
func (r RecordedChange) Is(c Change) bool {
	return r.At.Equal(c.At) && r.Agent == c.To.AgentLine() && r.Status == c.To.Status && r.Damped == c.To.Damped &&
		r.Until.Equal(c.To.Until) && slices.Equal(r.Reasons, c.To.Codes())
}

// Machine returns the Machine that the run begins with, under a config that need not be the recorded one.
func (r *Run) Machine(cfg Config) *Machine {
	m := NewMachine(cfg)
	if r.machine != nil {
		m = r.machine.WithConfig(cfg)
	}
	m.Advance(r.Start)
	return m
}

// Steps runs Machine over what was recorded and yields each step. What came before the run came under the recorded config.
// What would have come after its last line was not recorded, and is not made up.
func (r *Run) Steps(cfg Config) iter.Seq[Step] {
	return func(yield func(Step) bool) {
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
func (r *Run) Replay(cfg Config) []Change {
	var changes []Change
	for step := range r.Steps(cfg) {
		changes = append(changes, step.Changes...)
	}
	return changes
}

// Compare replays under the recorded config and returns the first disagreement with what was recorded, or nil.
func (r *Run) Compare() *RecordingProblem {
	replayed := r.Replay(r.Config)
	for i, c := range replayed {
		if i == len(r.Recorded) {
			return &RecordingProblem{r.Line, "replayed, but not recorded: " + c.String()}
		}
		if recorded := r.Recorded[i]; !recorded.Is(c) {
			return &RecordingProblem{recorded.Line, fmt.Sprintf("recorded: %s; replayed: %s", recorded, c)}
		}
	}
	if len(r.Recorded) > len(replayed) {
		recorded := r.Recorded[len(replayed)]
		return &RecordingProblem{recorded.Line, "recorded, but not replayed: " + recorded.String()}
	}
	return nil
}

// String returns the change in a line.
func (r RecordedChange) String() string {
	return describeChange(r.At, r.Agent, r.Status, r.Damped, r.Until, r.Reasons)
}

// String returns the change in a line.
func (c Change) String() string {
	return describeChange(c.At, c.To.AgentLine(), c.To.Status, c.To.Damped, c.To.Until, c.To.Codes())
}

func describeChange(at time.Time, agent string, status Status, damped bool, until time.Time, reasons []Code) string {
	text := fmt.Sprintf("%s %s (status %s)", at.UTC().Format(time.RFC3339Nano), agent, status)
	if damped {
		text += " damped"
	}
	if !until.IsZero() {
		text += " until " + until.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(text, " ", reasons)
}
