package health

// Snapshot is everything known about the node at one time. It never changes, so readers may share it.
type Snapshot struct {
	// Observation holds the latest value of each part, nil for a part that was not observed yet. Its At is the time of the
	// latest observation, zero before the first.
	Observation
	Verdict Verdict
	// AgentLine is the agent-check reply with its line end; nil while there is no verdict.
	AgentLine []byte
	// UnhealthyRuns counts how often the node turned (raw) unhealthy.
	UnhealthyRuns int

	machine    Machine // a copy from the time of the snapshot
	superseded chan struct{}
}

// WithoutVerdict returns a copy without the verdict, as before the first one, for replies when it is out of date.
func (s *Snapshot) WithoutVerdict() *Snapshot {
	c := *s
	c.Verdict, c.AgentLine, c.machine = Verdict{}, nil, Machine{cfg: s.machine.cfg}
	return &c
}

// Next returns the verdict that holds from Verdict.Until on if nothing is observed before. ok is false when the verdict
// will not change by itself.
func (s *Snapshot) Next() (v Verdict, ok bool) { return s.machine.Next() }

// Superseded returns a channel that is closed once a newer snapshot has been published.
func (s *Snapshot) Superseded() <-chan struct{} { return s.superseded }

// snapshot returns a snapshot of the machine's present state.
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

// reply returns the agent-check reply for a verdict, without its line end.
func (m *Machine) reply(v Verdict) string {
	if m.cfg.AgentDescription {
		return v.DescribedLine()
	}
	return v.AgentLine()
}
