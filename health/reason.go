package health

import (
	"fmt"
	"slices"
	"time"
)

// Code identifies a reason. The set is closed, because codes are metric labels.
type Code string

// ReasonNone means that there is no reason. No verdict contains it.
const ReasonNone Code = "none"

// The reasons, root causes first. A verdict lists its reasons in this order.
const (
	ReasonStatusFileMissing Code = "status_file_unreadable" // the file is missing or cannot be read
	ReasonStatusUnhealthy   Code = "status_unhealthy"       // the operator declared the node unhealthy
	ReasonProsodyTimeout    Code = "prosody_timeout"        // prosody did not answer in time (soft down)
	ReasonProsodyNoAnswer   Code = "prosody_unreachable"    // prosody gave no HTTP answer
	ReasonProsodyUnhealthy  Code = "prosody_unhealthy"      // prosody answered, but not 200
	ReasonJicofoOverloaded  Code = "jicofo_overloaded"      // jicofo answered 503 (soft down)
	ReasonJicofoTimeout     Code = "jicofo_timeout"         // jicofo did not answer in time
	ReasonJicofoNoAnswer    Code = "jicofo_unreachable"     // jicofo gave no HTTP answer
	ReasonJicofoUnhealthy   Code = "jicofo_unhealthy"       // jicofo answered, but neither 200, 404 nor 503
	ReasonJicofoHealthOff   Code = "jicofo_health_off"      // jicofo answered 404: this does not recover by itself
	ReasonStatsNoAnswer     Code = "jicofo_stats_failed"    // /stats gave no answer, or not 200
	ReasonStatsInvalid      Code = "jicofo_stats_invalid"   // /stats answered 200 with an unusable body
	ReasonDampening         Code = "dampening"              // healthy again, but not yet for long enough
	ReasonStatusMaint       Code = "status_maint"           // the operator set maintenance
	ReasonStatusDrain       Code = "status_drain"           // the operator set drain
	ReasonStatusUnknown     Code = "status_unknown"         // the status file holds no known word
	ReasonParticipantsMax   Code = "participants_max"       // more participants than PARTICIPANT_MAX
)

// Codes lists every reason, in order.
var Codes = []Code{
	ReasonStatusFileMissing, ReasonStatusUnhealthy,
	ReasonProsodyTimeout, ReasonProsodyNoAnswer, ReasonProsodyUnhealthy,
	ReasonJicofoOverloaded, ReasonJicofoTimeout, ReasonJicofoNoAnswer, ReasonJicofoUnhealthy, ReasonJicofoHealthOff,
	ReasonStatsNoAnswer, ReasonStatsInvalid,
	ReasonDampening,
	ReasonStatusMaint, ReasonStatusDrain, ReasonStatusUnknown, ReasonParticipantsMax,
}

// Reason is one cause of a verdict other than plain "up ready".
type Reason struct {
	Code Code `json:"code"`
	// Text describes the reason and what was observed, in one printable line.
	Text string `json:"text"`
	// Error is the original error that Text describes, in one printable line; "" for none.
	Error string `json:"error,omitempty"`
	// Since is the time when the reason began to hold.
	Since time.Time `json:"since"`
}

// String returns the code and the text.
func (r Reason) String() string { return string(r.Code) + ": " + r.Text }

// explain lists the causes of a verdict in the order of Codes, each with the time since which it holds.
func (m *Machine) explain(v Verdict) []Reason {
	var reasons []Reason
	add := func(r Reason, holds bool) {
		if !holds {
			return
		}
		r.Text, r.Error, r.Since = OneLine(r.Text), OneLine(r.Error), m.now
		for _, old := range m.reasons {
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
	add(Reason{Code: ReasonDampening, Text: "healthy again, but not yet for " + m.cfg.HealthDampening.String()},
		v.Damped && !v.Healthy)
	slices.SortFunc(reasons, func(a, b Reason) int { return slices.Index(Codes, a.Code) - slices.Index(Codes, b.Code) })
	return reasons
}

// participantsReason explains a drain because of load. It holds only on a node that would otherwise be ready.
func (m *Machine) participantsReason() (Reason, bool) {
	participants, _, _ := m.latest.Jicofo.Load()
	text := fmt.Sprintf("%.0f participants, more than %.0f", participants, m.cfg.ParticipantMax)
	return Reason{Code: ReasonParticipantsMax, Text: text},
		m.latest.StatusFile.Word() == WordReady && m.overParticipantMax()
}

// statusFileReason explains a status file that makes the node unhealthy or keeps users away.
func statusFileReason(s *StatusFile) (Reason, bool) {
	if !s.Found {
		return Reason{Code: ReasonStatusFileMissing, Text: "status file: " + s.Problem}, true
	}
	switch s.Word() {
	case WordUnhealthy:
		return Reason{Code: ReasonStatusUnhealthy, Text: "the status file says unhealthy"}, true
	case WordMaint:
		return Reason{Code: ReasonStatusMaint, Text: "the status file says maint"}, true
	case WordDrain:
		return Reason{Code: ReasonStatusDrain, Text: "the status file says drain"}, true
	case WordUnknown:
		return Reason{
			Code: ReasonStatusUnknown, Text: fmt.Sprintf("the status file says %.40q, which is no known word", s.Contents),
		}, true
	default:
		return Reason{}, false
	}
}

// prosodyReason explains an unhealthy prosody.
func prosodyReason(p *Prosody) (Reason, bool) {
	switch {
	case p == nil || p.Healthy():
		return Reason{}, false
	case p.SoftDown():
		return Reason{Code: ReasonProsodyTimeout, Text: p.Health.missing("prosody"), Error: p.Health.Error}, true
	case !p.Health.Reachable():
		return Reason{Code: ReasonProsodyNoAnswer, Text: p.Health.missing("prosody"), Error: p.Health.Error}, true
	default:
		return Reason{Code: ReasonProsodyUnhealthy, Text: "prosody " + p.Health.Describe()}, true
	}
}

// jicofoReason explains an unhealthy jicofo. A failed health check hides the failures of the statistics that follow
// from it.
func jicofoReason(j *Jicofo) (Reason, bool) {
	if j == nil {
		return Reason{}, false
	}
	switch h, s := j.Health, j.Stats; {
	case j.SoftDown():
		return Reason{Code: ReasonJicofoOverloaded, Text: "jicofo " + h.Describe()}, true
	case h.TimedOut():
		return Reason{Code: ReasonJicofoTimeout, Text: h.missing("jicofo"), Error: h.Error}, true
	case !h.Reachable():
		return Reason{Code: ReasonJicofoNoAnswer, Text: h.missing("jicofo"), Error: h.Error}, true
	case h.Code == 404:
		return Reason{
			Code: ReasonJicofoHealthOff, Text: "jicofo answered 404: health checks or REST are switched off there",
		}, true
	case !h.OK():
		return Reason{Code: ReasonJicofoUnhealthy, Text: "jicofo " + h.Describe()}, true
	case !s.Reachable():
		return Reason{Code: ReasonStatsNoAnswer, Text: "jicofo statistics: " + s.Detail, Error: s.Error}, true
	case !s.OK():
		return Reason{Code: ReasonStatsNoAnswer, Text: "jicofo statistics " + s.Describe()}, true
	case !j.StatsParsed():
		return Reason{Code: ReasonStatsInvalid, Text: "jicofo statistics: " + j.StatsProblem, Error: s.Error}, true
	default:
		return Reason{}, false
	}
}
