package health

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Verdict is what is said about the node at one moment.
type Verdict struct {
	// Known is false until jicofo, prosody and the status file have each been observed once; nothing else means
	// anything before.
	Known bool
	// Healthy is the health as reported, after flap mitigation; RawHealthy is the health as observed.
	Healthy, RawHealthy bool
	// Damped says that flap mitigation made Healthy differ from RawHealthy.
	Damped bool
	Status Status
	// Weight is the share of the configured weight that HAProxy should use, 0 to 100 percent.
	Weight int
	// Reasons are the causes, root causes first; empty when the node is plainly up and ready.
	Reasons []Reason
	// Until is when the verdict, or its reasons, change by themselves, zero when they do not.
	Until time.Time
	// Tolerated are the services whose last observation counts although they refuse connections now.
	Tolerated []Tolerated
	// Incident identifies the episode that the verdict belongs to, "" when the node is healthy without mitigation.
	Incident string
}

// The states of a verdict that are no Status.
const (
	StateNone = "none" // there is no verdict yet
	StateDown = "down"
)

// State is the verdict in one word: down, or the drain state of a node that is up.
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

// Has reports whether a reason is in force.
func (v Verdict) Has(code Code) bool {
	return slices.ContainsFunc(v.Reasons, func(r Reason) bool { return r.Code == code })
}

// Same reports whether two verdicts say the same about the node: whether a change of the verdict lies between them.
// Weights follow the load and reasons may change their wording; neither is a change.
func (v Verdict) Same(w Verdict) bool {
	return v.Known == w.Known && v.Healthy == w.Healthy && v.Damped == w.Damped && v.Status == w.Status
}

// AgentLine is the agent-check reply without its line end: "<up|down> <ready|drain|maint> <weight>" (spec section 4;
// HAProxy Configuration Manual, agent-check). It is empty while there is no verdict.
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

// DescribedLine is the agent-check reply with the root reason, if there is one, as HAProxy takes it after the words and
// shows it in its log and statistics: one line of printable ASCII, without its line end.
func (v Verdict) DescribedLine() string { return v.AgentLine() + v.description() }

// maxDescription bounds the description in an agent reply, in bytes.
const maxDescription = 120

// description is " #" and the root reason, empty without one.
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

// WeightText is the weight as HAProxy and the report spell it, for example "85%".
func (v Verdict) WeightText() string { return strconv.Itoa(v.Weight) + "%" }

// weight derives the weight in percent (spec section 3).
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
