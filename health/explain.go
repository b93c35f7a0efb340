package health

import (
	"fmt"
	"slices"
)

// explain lists the causes of a verdict, in the order of Codes, each with the moment since when it holds.
func (m *Machine) explain(v Verdict) []Reason {
	var reasons []Reason
	add := func(r Reason, holds bool) {
		if !holds {
			return
		}
		r.Text, r.Since = OneLine(r.Text), m.now
		for _, old := range m.verdict.Reasons {
			if old.Code == r.Code {
				r.Since = old.Since
			}
		}
		reasons = append(reasons, r)
	}
	reason, holds := prosodyReason(m.latest.Prosody)
	reason.Text = m.prosodyRefusal.first(reason.Text)
	add(reason, holds)
	reason, holds = jicofoReason(m.latest.Jicofo)
	reason.Text = m.jicofoRefusal.first(reason.Text)
	add(reason, holds)
	add(statusFileReason(m.latest.StatusFile))
	add(m.participantsReason())
	add(Reason{Code: ReasonDampening, Text: "healthy again, but not yet for " + m.cfg.HealthDampening.String()}, v.Damped && !v.Healthy)
	slices.SortFunc(reasons, func(a, b Reason) int { return slices.Index(Codes, a.Code) - slices.Index(Codes, b.Code) })
	return reasons
}

// participantsReason explains a drain for load; it shows only where it decides, on a node that would be ready.
func (m *Machine) participantsReason() (Reason, bool) {
	participants, _, _ := m.latest.Jicofo.Load()
	text := fmt.Sprintf("%.0f participants, more than %.0f", participants, m.cfg.ParticipantMax)
	return Reason{Code: ReasonParticipantsMax, Text: text}, m.latest.StatusFile.Word() == WordReady && m.overParticipantMax()
}
