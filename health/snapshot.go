package health

// Snapshot is all that is known about the node at one moment. It never changes; readers share it.
type Snapshot struct {
	// Observation holds every part as it was observed last, nil where that has not happened yet. Its At is when the latest
	// observation was made, zero before the first.
	Observation
	Verdict Verdict
	// AgentLine is the agent-check reply, line end included; nil while there is no verdict.
	AgentLine []byte
	// UnhealthyRuns counts how often the node turned (raw) unhealthy.
	UnhealthyRuns int

	machine    Machine // a copy, as it was
	superseded chan struct{}
}

// Next returns the verdict from Verdict.Until on if nothing is observed before; ok is false when the verdict does not
// change by itself.
func (s *Snapshot) Next() (v Verdict, ok bool) { return s.machine.Next() }

// Superseded returns a channel that is closed once a newer snapshot has been published.
func (s *Snapshot) Superseded() <-chan struct{} { return s.superseded }

// snapshot returns what the machine knows now.
func (m *Machine) snapshot() *Snapshot {
	s := &Snapshot{
		Observation: m.latest, Verdict: m.verdict, UnhealthyRuns: m.unhealthyRuns,
		machine: *m, superseded: make(chan struct{}),
	}
	if m.verdict.Known {
		s.AgentLine = []byte(m.reply(m.verdict) + "\n")
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
