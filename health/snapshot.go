package health

import "time"

// Snapshot is all that is known about the node at one moment. It never changes; readers share it.
type Snapshot struct {
	Verdict Verdict
	// Next is the verdict from Verdict.Until on if nothing is observed before; meaningless while Until is zero.
	Next Verdict
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
	// CensusPolled says that the census is polled at all.
	CensusPolled bool

	superseded chan struct{}
}

// Superseded returns a channel that is closed once a newer snapshot has been published.
func (s *Snapshot) Superseded() <-chan struct{} { return s.superseded }

// snapshot freezes the machine's knowledge together with the verdict that follows from it.
func (m *Machine) snapshot(v Verdict) *Snapshot {
	s := &Snapshot{
		Verdict: v, ObservedAt: m.observed, UnhealthyRuns: m.unhealthyRuns,
		Jicofo: m.jicofo, Prosody: m.prosody, StatusFile: m.statusFile, Census: m.census,
		CensusPolled: m.cfg.Census,
		superseded:   make(chan struct{}),
	}
	if !v.Until.IsZero() {
		s.Next = m.Next(v)
	}
	if v.Known {
		s.AgentLine = []byte(v.AgentLine() + "\n")
	}
	return s
}
