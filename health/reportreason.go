package health

import (
	"cmp"
	"fmt"
	"slices"
)

// State returns the reported verdict in one word, as Verdict.State does.
func (r Report) State() string {
	return Verdict{Known: r.Time != nil || r.AgentMessage != "", Healthy: r.Healthy, Status: r.Status}.State()
}

// Reasons returns the causes of the reported verdict, root causes first, without times. They are less exact than those
// of the verdict: a report contains neither the kind of a failure without an HTTP answer nor PARTICIPANT_MAX.
func (r Report) Reasons() []Reason {
	if r.State() == StateNone {
		return nil
	}
	var reasons []Reason
	add := func(reason Reason, holds bool) {
		if holds {
			reason.Text = OneLine(reason.Text)
			reasons = append(reasons, reason)
		}
	}
	add(prosodyReason(r.prosody()))
	add(jicofoReason(r.jicofo()))
	file := &StatusFile{
		Found: r.Statuses.StatusFileFound, Contents: r.Statuses.StatusFileContents, Problem: "missing or unreadable",
	}
	add(statusFileReason(file))
	add(Reason{Code: ReasonDampening, Text: "healthy again, but not yet for long enough"}, r.HealthDamped && !r.Healthy)
	add(r.participantsReason(file.Word(), len(reasons)))
	slices.SortFunc(reasons, func(a, b Reason) int { return slices.Index(Codes, a.Code) - slices.Index(Codes, b.Code) })
	return reasons
}

// participantsReason explains a drain that has none of the other n reasons.
func (r Report) participantsReason(word Word, n int) (Reason, bool) {
	reason := Reason{Code: ReasonParticipantsMax, Text: "more participants than PARTICIPANT_MAX"}
	if p := r.Stats.JicofoParticipants; p != nil {
		reason.Text = fmt.Sprintf("%.0f participants, more than PARTICIPANT_MAX", *p)
	}
	return reason, n == 0 && word == WordReady && r.Healthy && r.Status == StatusDrain
}

// prosody returns what prosody's probe observed, as far as the report shows it.
func (r Report) prosody() *Prosody {
	s := r.Services
	if s.ProsodyHealthy {
		return &Prosody{Health: Answer{Code: 200}}
	}
	a := reportedAnswer(s.ProsodyStatusCode, "")
	if s.ProsodySoftDown {
		a.Failure, a.Detail = FailureTimeout, "no answer in time"
	}
	return &Prosody{Health: a}
}

// jicofo returns what jicofo's probes observed, as far as the report shows it.
func (r Report) jicofo() *Jicofo {
	s := r.Services
	j := &Jicofo{Health: Answer{Code: 200}, Stats: Answer{Code: 200}}
	if !s.JicofoHealthy {
		j.Health = reportedAnswer(s.JicofoStatusCode, s.JicofoStatusContents)
		j.Stats = reportedAnswer(cmp.Or(s.JicofoStatsCode, s.JicofoStatusStatusCode), "")
	}
	if j.Healthy() && r.Stats.JicofoParticipants == nil {
		j.StatsProblem = "no usable numbers"
	}
	return j
}

// reportedAnswer returns the answer with this code and body.
func reportedAnswer(code int, body string) Answer {
	a := Answer{Code: code, Exchange: &Exchange{Body: body}}
	if code == 0 {
		a.Failure, a.Detail = FailureUnexpected, "no answer"
	}
	return a
}
