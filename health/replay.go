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

// Tells reports whether a replayed change is the recorded one. The name of the incident is not compared.
func (r RecordedChange) Tells(c Change) bool {
	return r.At.Equal(c.At) && r.Agent == c.To.AgentLine() && r.Status == c.To.Status && r.Damped == c.To.Damped &&
		r.Until.Equal(c.To.Until) && slices.Equal(r.Reasons, c.To.Codes())
}

// Replay runs the machine over what was recorded, under a config that need not be the recorded one, and returns the
// changes of the verdict. What came before the run came under the recorded config.
func (r *Run) Replay(cfg Config) []Change {
	var changes []Change
	var said Verdict
	first := true // where the run starts from is no change
	for at, v := range r.Verdicts(cfg) {
		if !first && !said.Same(v) {
			changes = append(changes, Change{at, said, v})
		}
		said, first = v, false
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
		if told := r.Recorded[i]; !told.Tells(c) {
			return &RecordingProblem{told.Line, fmt.Sprintf("recorded: %s; replayed: %s", told, c)}
		}
	}
	if len(r.Recorded) > len(replayed) {
		told := r.Recorded[len(replayed)]
		return &RecordingProblem{told.Line, "recorded, but not replayed: " + told.String()}
	}
	return nil
}

// String tells the change in a line.
func (r RecordedChange) String() string {
	return tell(r.At, r.Agent, r.Status, r.Damped, r.Until, r.Reasons)
}

// String tells the change in a line.
func (c Change) String() string {
	return tell(c.At, c.To.AgentLine(), c.To.Status, c.To.Damped, c.To.Until, c.To.Codes())
}

func tell(at time.Time, agent string, status Status, damped bool, until time.Time, reasons []Code) string {
	text := fmt.Sprintf("%s %s (status %s)", at.UTC().Format(time.RFC3339Nano), agent, status)
	if damped {
		text += " damped"
	}
	if !until.IsZero() {
		text += " until " + until.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(text, " ", reasons)
}

// Verdicts replays as Replay does and yields the verdict at the start, after each observation and at each deadline.
func (r *Run) Verdicts(cfg Config) iter.Seq2[time.Time, Verdict] {
	return func(yield func(time.Time, Verdict) bool) {
		m := NewMachine(cfg)
		if r.machine != nil {
			*m = *r.machine
			m.cfg = cfg
		}
		v := m.Advance(r.Start)
		if !yield(r.Start, v) {
			return
		}
		for _, o := range r.Observations {
			if !deadlines(m, &v, o.At, yield) {
				return
			}
			v = m.Observe(o)
			if !yield(o.At, v) {
				return
			}
		}
		// What would have come after the last line was not seen, and is not invented.
		deadlines(m, &v, r.End, yield)
	}
}

// deadlines lets time pass to a moment, with every deadline on the way; a deadline at the moment comes before it.
func deadlines(m *Machine, v *Verdict, to time.Time, yield func(time.Time, Verdict) bool) bool {
	for until := v.Until; !until.IsZero() && !until.After(to); until = v.Until {
		*v = m.Advance(until)
		if !yield(until, *v) {
			return false
		}
		if v.Until.Equal(until) { // no machine of ours, but a recording may be anybody's
			return true
		}
	}
	return true
}
