package health

import "time"

// Snapshot is all that is known about the node at one moment. It never changes; readers share it.
type Snapshot struct {
	Verdict Verdict
	// Cause is the observation that the snapshot was made for, zero when a deadline was.
	Cause Observation
	// AgentLine is the agent-check reply, line end included; nil while there is no verdict.
	AgentLine []byte
	// ObservedAt is when the latest observation was made, zero before the first.
	ObservedAt time.Time
	// UnhealthyRuns counts how often the node turned (raw) unhealthy.
	UnhealthyRuns int

	// The latest observations, nil where there is none yet.
	Jicofo     *Jicofo
	Prosody    *Prosody
	StatusFile *StatusFile
	Census     *Census

	machine    Machine // a copy, as it was
	superseded chan struct{}
}

// Next returns the verdict from Verdict.Until on if nothing is observed before; ok is false when the verdict does not
// change by itself.
func (s *Snapshot) Next() (v Verdict, ok bool) {
	if s.Verdict.Until.IsZero() {
		return Verdict{}, false
	}
	return s.machine.Next(s.Verdict), true
}

// Superseded returns a channel that is closed once a newer snapshot has been published.
func (s *Snapshot) Superseded() <-chan struct{} { return s.superseded }

// snapshot freezes the machine's knowledge together with the verdict that follows from it.
func (m *Machine) snapshot(v Verdict, cause Observation) *Snapshot {
	s := &Snapshot{
		Verdict: v, ObservedAt: m.observed, UnhealthyRuns: m.unhealthyRuns,
		Jicofo: m.jicofo, Prosody: m.prosody, StatusFile: m.statusFile, Census: m.census,
		Cause:      cause,
		machine:    *m,
		superseded: make(chan struct{}),
	}
	if v.Known {
		s.AgentLine = []byte(m.reply(v) + "\n")
	}
	return s
}

// reply is the agent-check reply that goes with a verdict, without its line end.
func (m *Machine) reply(v Verdict) string {
	if m.cfg.AgentDescription {
		return v.DescribedLine()
	}
	return v.AgentLine()
}
