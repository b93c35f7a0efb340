package health

// Explanation is the reply of /signal/explain: why the verdict is what it is, and how it will change.
type Explanation struct {
	Time         *Time  `json:"time"`
	State        string `json:"state"` // down, or the drain state of a node that is up; none before the first verdict
	AgentMessage string `json:"agentmessage"`
	Damped       bool   `json:"damped"`
	Incident     string `json:"incident,omitempty"`
	// Reasons are the causes, root causes first.
	Reasons []ExplainedReason `json:"reasons"`
	// Next is the change of the verdict if nothing new is observed; nil if it will not change by itself.
	Next *ExplainedChange `json:"next"`
	// Tolerated are the services that refuse or reset connections but whose last good observation still counts
	// (UNREACHABLE_TOLERANCE).
	Tolerated []ExplainedTolerance `json:"tolerated,omitempty"`
}

// ExplainedTolerance is a Tolerated with times in the format of reports.
type ExplainedTolerance struct {
	Service string `json:"service"`
	Text    string `json:"text"`
	Since   Time   `json:"since"`
	Until   Time   `json:"until"`
}

// ExplainedReason is a Reason with its time in the format of reports.
type ExplainedReason struct {
	Code  Code   `json:"code"`
	Text  string `json:"text"`
	Error string `json:"error,omitempty"` // the original error that Text describes
	Since Time   `json:"since"`
}

// ExplainedChange is a future change of the verdict.
type ExplainedChange struct {
	At           Time   `json:"at"`
	State        string `json:"state"`
	AgentMessage string `json:"agentmessage"`
}

// Explain returns the explanation of the snapshot's verdict.
func (s *Snapshot) Explain() Explanation {
	v := s.Verdict
	e := Explanation{
		State: v.State(), AgentMessage: s.machine.reply(v), Damped: v.Damped, Incident: v.Incident,
		Reasons: make([]ExplainedReason, len(v.Reasons)),
	}
	if !s.At.IsZero() {
		e.Time = new(Time(s.At))
	}
	for i, r := range v.Reasons {
		e.Reasons[i] = ExplainedReason{r.Code, r.Text, r.Error, Time(r.Since)}
	}
	for _, t := range v.Tolerated {
		e.Tolerated = append(e.Tolerated,
			ExplainedTolerance{t.Service, t.Text, Time(t.Since), Time(s.machine.rebase(t.Until))})
	}
	if next, ok := s.Next(); ok {
		e.Next = &ExplainedChange{Time(s.machine.rebase(v.Until)), next.State(), s.machine.reply(next)}
	}
	return e
}
