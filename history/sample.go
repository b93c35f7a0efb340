package history

import (
	"slices"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// Sample is a summary of up to SampleTime of the node, for charts. It contains no pointers, so that the size of all
// samples is fixed.
type Sample struct {
	// Began is the moment of its first step.
	Began time.Time

	probes [len(health.Probes)]ProbeSample

	// Known reports whether there was a verdict after its last step. Weight is that verdict's, in percent, and Down
	// reports whether it was down.
	Known  bool
	Down   bool
	Weight int
	// Loaded reports whether Participants, after its last step, were known.
	Loaded       bool
	Participants float64
	// Word is the word in the status file after its last step, "" before the file was first read.
	Word health.Word
}

// ProbeSample is what one probe found in that time.
type ProbeSample struct {
	// Took is the duration of the slowest run, in seconds.
	Took float32
	// FailedAfter is the time from the beginning of the sample to its first failed run, in seconds.
	FailedAfter float32
	// Ran reports whether the probe ran at all, Failed whether any run failed, and FailedFirst and FailedLast whether the
	// first and the last did.
	Ran, Failed, FailedFirst, FailedLast bool
}

// Probe returns what a probe found.
func (s *Sample) Probe(p health.Probe) *ProbeSample {
	return &s.probes[slices.Index(health.Probes[:], p)]
}

// add adds a step and the snapshot after it to the sample.
func (s *Sample) add(step health.Step, after *health.Snapshot) {
	for _, r := range step.Observation.Results() {
		p := s.Probe(r.Probe)
		if r.Failed() && !p.Failed {
			p.FailedAfter = float32(step.At.Sub(s.Began).Seconds())
		}
		if !p.Ran {
			p.FailedFirst = r.Failed()
		}
		p.Ran, p.Failed, p.FailedLast = true, p.Failed || r.Failed(), r.Failed()
		p.Took = max(p.Took, float32(r.Took))
	}
	s.Known, s.Weight = after.Verdict.Known, after.Verdict.Weight
	s.Down = after.Verdict.Known && !after.Verdict.Healthy
	s.Participants, _, s.Loaded = after.Jicofo.Load()
	if after.StatusFile != nil {
		s.Word = after.StatusFile.Word()
	}
}
