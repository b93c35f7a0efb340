package health

import (
	"slices"
	"time"
)

// Sample sums up a few seconds of the node, for charts: what the steps of that time add to it. It has a fixed size and
// keeps nothing else alive.
type Sample struct {
	// Began is the moment of its first step.
	Began time.Time

	probes [len(Probes)]ProbeSample

	// The rest is as its last snapshot has it. Known says that there was a verdict; Weight is its, in percent.
	Known  bool
	Weight int
	// Loaded says that jicofo reported its Participants.
	Loaded       bool
	Participants float64
	// Word is the status file's, "" before it was read.
	Word Word
}

// ProbeSample is what one probe found in that time.
type ProbeSample struct {
	// Took is the longest that a run took, in seconds.
	Took float32
	// Ran and Failed say whether there was a run at all, and one that did not find what it should.
	Ran, Failed bool
}

// Probe returns what a probe found.
func (s *Sample) Probe(p Probe) *ProbeSample { return &s.probes[slices.Index(Probes[:], p)] }

// Add takes a step and the snapshot after it into account.
func (s *Sample) Add(step Step, after *Snapshot) {
	for _, r := range step.Observation.Results() {
		p := s.Probe(r.Probe)
		p.Ran, p.Failed = true, p.Failed || r.Failed()
		p.Took = max(p.Took, float32(r.Took))
	}
	s.Known, s.Weight = after.Verdict.Known, after.Verdict.Weight
	s.Participants, _, s.Loaded = after.Jicofo.Load()
	if after.StatusFile != nil {
		s.Word = after.StatusFile.Word()
	}
}
