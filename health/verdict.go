package health

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Verdict is the judgement about the node at one time.
type Verdict struct {
	// Known is false until jicofo, prosody and the status file have each been observed once. Until then the other fields
	// mean nothing.
	Known bool
	// Healthy is the reported health, after flap mitigation. RawHealthy is the observed health.
	Healthy, RawHealthy bool
	// Damped reports whether flap mitigation made Healthy differ from RawHealthy.
	Damped bool
	Status Status
	// Weight is the share of the configured weight that HAProxy should use, from 0 to 100 percent.
	Weight int
	// Reasons are the causes, root causes first. It is empty when the node is up and ready.
	Reasons []Reason
	// Until is the time when the verdict or its reasons will change by themselves, zero if they will not.
	Until time.Time
	// Tolerated are the services that refuse or reset connections now, but whose last good observation still counts.
	Tolerated []Tolerated
	// Incident identifies the episode that the verdict belongs to. It is "" when the node is healthy without mitigation.
	Incident string
}

// The states of a verdict that are not a Status.
const (
	StateNone = "none" // there is no verdict yet
	StateDown = "down"
)

// State returns the verdict in one word: down, or the drain state of a node that is up.
func (v Verdict) State() string {
	switch {
	case !v.Known:
		return StateNone
	case !v.Healthy:
		return StateDown
	default:
		return string(v.Status)
	}
}

// RootReason returns the code of the first reason, or ReasonNone.
func (v Verdict) RootReason() Code {
	if len(v.Reasons) == 0 {
		return ReasonNone
	}
	return v.Reasons[0].Code
}

// Codes returns the codes of the reasons, never nil.
func (v Verdict) Codes() []Code {
	codes := make([]Code, len(v.Reasons))
	for i, r := range v.Reasons {
		codes[i] = r.Code
	}
	return codes
}

// Has reports whether the verdict has a reason with this code.
func (v Verdict) Has(code Code) bool {
	return slices.ContainsFunc(v.Reasons, func(r Reason) bool { return r.Code == code })
}

// Same reports whether two verdicts are equal as far as a change of the verdict is concerned. A new weight or a new
// text of a reason is not a change: weights follow the load.
func (v Verdict) Same(w Verdict) bool {
	return v.Known == w.Known && v.Healthy == w.Healthy && v.Damped == w.Damped && v.Status == w.Status
}

// AgentLine returns the agent-check reply without its line end: "<up|down> <ready|drain|maint> <weight>" (HAProxy
// Configuration Manual, agent-check). It is empty while there is no verdict.
func (v Verdict) AgentLine() string {
	if !v.Known {
		return ""
	}
	word := "down "
	if v.Healthy {
		word = "up "
	}
	return word + string(v.Status.agentWord()) + " " + v.WeightText()
}

// DescribedLine returns the agent-check reply with the root reason, if there is one. HAProxy accepts a description
// after the words and shows it in its log and statistics. The reply is one line of printable ASCII, without its line
// end.
func (v Verdict) DescribedLine() string { return v.AgentLine() + v.description() }

// maxDescription limits the description in an agent reply, in bytes.
const maxDescription = 120

// description returns " #" and the root reason, "" if there is none.
func (v Verdict) description() string {
	if len(v.Reasons) == 0 {
		return ""
	}
	printable := func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}
	text := strings.Map(printable, v.Reasons[0].String())
	return " #" + text[:min(len(text), maxDescription)]
}

// WeightText returns the weight in the notation of HAProxy and the report, such as "85%".
func (v Verdict) WeightText() string { return strconv.Itoa(v.Weight) + "%" }

// weight returns the weight in percent.
func (c Config) weight(status Status, j *Jicofo) int {
	if status == StatusDrain || status == StatusMaint {
		return 0
	}
	if !c.WeightParticipants {
		return 100
	}
	participants, _, ok := j.Load()
	if !ok {
		return 0
	}
	free := 100 - math.Floor(100*participants/c.ParticipantMax)
	return int(min(max(math.Round(free/5)*5, 1), 100))
}
