package health

import "time"

// Sample sums up a few seconds of the node, for charts: what the snapshots of that time add to it. It has a fixed size and
// keeps nothing else alive.
type Sample struct {
	// Began is the moment of its first snapshot.
	Began time.Time
	// What the probes found.
	JicofoHealth, JicofoStats, Prosody, Census ProbeSample

	// The rest is as its last snapshot has it. Known says that there was a verdict; Weight is its, in percent.
	Known  bool
	Weight int
	// Loaded says that jicofo told its Participants.
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

// Add takes a step and the snapshot after it into account.
func (s *Sample) Add(step Step, after *Snapshot) {
	switch o := step.Observation; {
	case o.Jicofo != nil:
		s.JicofoHealth.add(o.Jicofo.Health, "")
		s.JicofoStats.add(o.Jicofo.Stats, o.Jicofo.StatsProblem)
	case o.Prosody != nil:
		s.Prosody.add(o.Prosody.Health, "")
	case o.Census != nil:
		s.Census.add(o.Census.Answer, o.Census.Problem)
	}
	s.Known, s.Weight = after.Verdict.Known, after.Verdict.Weight
	s.Participants, _, s.Loaded = after.Jicofo.Load()
	if after.StatusFile != nil {
		s.Word = after.StatusFile.Word()
	}
}

func (p *ProbeSample) add(a Answer, problem string) {
	p.Ran = true
	p.Took = max(p.Took, float32(a.Took))
	p.Failed = p.Failed || !a.OK() || problem != ""
}
