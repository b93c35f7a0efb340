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

// Step is what one published snapshot adds to the history of the node: what was observed, bounded as Observation.Bounded
// has it, and the changes that followed. It shares nothing large with the snapshot, so that it can be kept.
type Step struct {
	// At is when the observation was taken in or the deadline came; it never runs backwards from step to step.
	At time.Time
	// Observation is the cause, zero when it was a deadline.
	Observation Observation
	// Changes are those of the deadlines that came first, and of the observation.
	Changes []Change

	before Machine // as it was before the step, bounded
}

// StepOf returns the step from one snapshot to the next one.
func StepOf(before, after *Snapshot) Step {
	s := Step{At: after.ObservedAt, Observation: after.Cause.Bounded(), before: before.machine.bounded()}
	// Deadlines that passed before their timer could fire come first, each at its moment.
	machine, said := before.machine, before.Verdict
	for until := said.Until; !until.IsZero() && !until.After(after.machine.now); until = said.Until {
		next := machine.Advance(until)
		s.change(until, said, next)
		said = next
		if !s.Observed() {
			s.At = until
		}
	}
	if s.Observed() {
		s.change(s.At, said, after.Verdict)
	}
	return s
}

// Observed reports whether an observation caused the step.
func (s Step) Observed() bool { return s.Observation.parts() > 0 }

func (s *Step) change(at time.Time, from, to Verdict) {
	if !from.Same(to) {
		s.Changes = append(s.Changes, Change{at, from, to})
	}
}
