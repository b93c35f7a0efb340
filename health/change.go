package health

import (
	"cmp"
	"time"
)

// Change is a change of the verdict: see Verdict.Same.
type Change struct {
	// At is when it was due: when what caused it was observed, or the exact moment of a deadline, however late the timer
	// fired.
	At       time.Time
	From, To Verdict
}

// Incident is the one that the change belongs to, "" for none; a recovery belongs to the one that it ends.
func (c Change) Incident() string { return cmp.Or(c.To.Incident, c.From.Incident) }

// Step is everything that one call of Machine.Observe or Machine.Advance did. It shares nothing large with the Machine, so
// that it can be kept.
type Step struct {
	// At is when the observation was taken in, or the moment of the last deadline that was passed. It never runs backwards
	// from step to step.
	At time.Time
	// Observation is what was observed, as Observation.Bounded has it; zero when only deadlines were passed.
	Observation Observation
	// Changes are those of each deadline that was passed, and last that of the observation. There may be none.
	Changes []Change
	// Verdict is the one after the step.
	Verdict Verdict

	before Machine // bounded
}

// Observed reports whether the step holds an observation.
func (s Step) Observed() bool { return s.Observation.Parts() > 0 }

// Before returns the Machine as it was before the step, with its texts cut and without the rooms of the census.
func (s Step) Before() *Machine { return &s.before }

// appendChange appends the change between two verdicts, if they differ.
func appendChange(changes []Change, at time.Time, from, to Verdict) []Change {
	if from.Same(to) {
		return changes
	}
	return append(changes, Change{at, from, to})
}
