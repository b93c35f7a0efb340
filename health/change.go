package health

import (
	"cmp"
	"time"
)

// Change is a change of the verdict. Verdict.Same defines what counts as one.
type Change struct {
	// At is the time when its cause was observed, or the exact time of the deadline that caused it, even if the timer
	// fired late.
	At       time.Time
	From, To Verdict
}

// Incident returns the id of the incident that the change belongs to, "" if there is none. A recovery belongs to the
// incident that it ends.
func (c Change) Incident() string { return cmp.Or(c.To.Incident, c.From.Incident) }

// Step is everything that one call of Machine.Observe or Machine.Advance did. It does not share large data with the
// Machine, so callers may keep it.
type Step struct {
	// At is the time when the observation was taken in, or the time of the last deadline that passed. It never runs
	// backwards from step to step.
	At time.Time
	// Observation is what was observed, bounded by Observation.Bounded. It is zero when only deadlines passed.
	Observation Observation
	// Changes are the changes at the deadlines that passed, then the change from the observation. It may be empty.
	Changes []Change
	// Verdict is the verdict after the step.
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
