package faults_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// The settings of the sidecars in the soak.
const (
	soakPoll     = 200 * time.Millisecond
	soakTimeout  = time.Second
	soakDampens  = 4 * time.Second
	soakGrace    = 8 * time.Second
	soakDebounce = 100 * time.Millisecond
	// staleness is how old an observation may be: a poll begins 500 ms after its time at the latest, and ends 500 ms after
	// its timeout, or it is overdue and the agent gives no reply.
	staleness = soakPoll + 500*time.Millisecond + soakTimeout + 500*time.Millisecond + soakDebounce + 300*time.Millisecond
)

// The states of a service, beside the words of the status file.
const (
	stateHealthy = "healthy"
	stateHangs   = "hangs" // for prosody: soft down
	stateFails   = "fails"
)

// timeline is what a part of the node was, and when. It is written by the driver of the soak.
type timeline struct {
	mu     sync.Mutex
	states []state
}

// state is a state from the moment at which it may have begun. It may last until the next one has certainly begun.
type state struct {
	value       string
	from, until time.Time // until is zero for the latest
}

// change records a state that change makes.
func (l *timeline) change(value string, change func()) {
	l.mu.Lock()
	l.states = append(l.states, state{value: value, from: time.Now()})
	l.mu.Unlock()
	change()
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.states); n > 1 {
		l.states[n-2].until = time.Now()
	}
}

// had reports whether the part may have been in one of the states at some moment of a span.
func (l *timeline) had(from, to time.Time, values ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.states) - 1; i >= 0; i-- {
		s := l.states[i]
		if !s.until.IsZero() && s.until.Before(from) {
			return false
		}
		if s.from.After(to) {
			continue
		}
		for _, v := range values {
			if s.value == v {
				return true
			}
		}
	}
	return false
}

// truth is what the node was.
type truth struct{ jicofo, prosody, word *timeline }

// healthy reports whether the node may have been healthy at some moment of a span.
func (n *truth) healthy(from, to time.Time) bool {
	return n.jicofo.had(from, to, stateHealthy) && n.prosody.had(from, to, stateHealthy) &&
		n.word.had(from, to, "ready", "drain", "maint", "nonsense")
}

// shows reports whether the status file may be the cause of a word and weight.
func (n *truth) shows(from, to time.Time, shown string) bool {
	switch shown {
	case "ready 100":
		return n.word.had(from, to, "ready")
	case "drain 0":
		return n.word.had(from, to, "drain", "unhealthy")
	case "maint 0":
		return n.word.had(from, to, "maint")
	case "drain 100":
		return n.word.had(from, to, "nonsense", "missing")
	default:
		return false
	}
}

// has reports whether a root reason may hold in a span.
func (n *truth) has(code string, from, to time.Time) bool {
	switch {
	case code == "":
		return true
	case code == "prosody_timeout":
		return n.prosody.had(from, to, stateHangs, stateFails)
	case strings.HasPrefix(code, "prosody_"):
		return n.prosody.had(from, to, stateFails)
	case strings.HasPrefix(code, "jicofo_"):
		return n.jicofo.had(from, to, stateHangs, stateFails)
	case code == "status_file_unreadable":
		return n.word.had(from, to, "missing")
	case code == "status_unknown":
		return n.word.had(from, to, "nonsense")
	case strings.HasPrefix(code, "status_"):
		return n.word.had(from, to, strings.TrimPrefix(code, "status_"))
	default:
		return code == "dampening"
	}
}

// noGrace reports whether something may have been wrong that the drain grace does not cover.
func (n *truth) noGrace(from, to time.Time) bool {
	return n.prosody.had(from, to, stateFails) || n.word.had(from, to, "unhealthy", "missing") ||
		n.prosody.had(from, to, stateHangs) && n.jicofo.had(from, to, stateHangs, stateFails)
}

// unhealthy reports whether the node may have been unhealthy at some moment of a span.
func (n *truth) unhealthy(from, to time.Time) bool {
	return n.jicofo.had(from, to, stateHangs, stateFails) || n.prosody.had(from, to, stateHangs, stateFails) ||
		n.word.had(from, to, "unhealthy", "missing")
}

// judge decides whether the replies of a sidecar are allowed, by what the node was and by what the sidecar replied
// before. It shares no code with package health. It is generous where an observation may have been made earlier or
// later, and where two faults overlap.
type judge struct {
	node *truth

	mu       sync.Mutex
	lastUp   span // of the latest "up ready": no episode that is reported later began before
	lastDown span // of the latest "down" with an observed cause
}

// span is when a reply was asked for and received.
type span struct{ asked, received time.Time }

// before reports whether this reply was received before another one was asked for.
func (s span) before(other span) bool { return !s.received.IsZero() && s.received.Before(other.asked) }

var replyForm = regexp.MustCompile(`^(up|down) (\w+ \d+)%(?: #(\w+).*)?$`)

// restarted makes the judge forget the replies of a process that was killed.
func (j *judge) restarted() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lastUp, j.lastDown = span{}, span{}
}

// verdict returns why a reply, without its line end, is not allowed, or "". It was asked for and received at two times.
func (j *judge) verdict(reply string, asked, received time.Time) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	parts := replyForm.FindStringSubmatch(reply)
	if parts == nil {
		return "it has another form"
	}
	health, shown, code := parts[1], parts[2], parts[3]
	at := span{asked, received}
	switch {
	case !j.node.has(code, asked.Add(-staleness), received):
		return "its reason was not observed lately"
	case health == "up":
		return j.up(shown, at)
	default:
		return j.down(shown, code, at)
	}
}

func (j *judge) up(shown string, at span) string {
	n, since, until := j.node, at.asked.Add(-staleness), at.received
	if n.healthy(since, until) && n.shows(since, until, shown) {
		if j.lastDown.before(at) && until.Before(j.lastDown.asked.Add(soakDampens-staleness)) {
			return fmt.Sprintf("it was down for an observed cause %s before, and is damped for %s",
				until.Sub(j.lastDown.asked), soakDampens)
		}
		if shown == "ready 100" {
			j.lastUp = at
		}
		return ""
	}
	switch {
	case shown != "drain 0" && (shown != "maint 0" || !n.word.had(since, until, "maint")):
		return "the node was not healthy, or the status file had another word"
	case !n.unhealthy(since, until):
		return "nothing failed lately that could begin the drain grace"
	case !n.healthy(since.Add(-soakGrace), until):
		return "the drain grace is over"
	default:
		return ""
	}
}

func (j *judge) down(shown, code string, at span) string {
	n, since, until := j.node, at.asked.Add(-staleness), at.received
	switch {
	case !n.shows(since, until, shown):
		return "the status file had another word"
	case !n.unhealthy(since.Add(-soakDampens), until):
		return "nothing failed in the dampening interval"
	case j.lastUp.before(at) && until.Before(j.lastUp.asked.Add(soakGrace)) &&
		!n.noGrace(j.lastUp.asked.Add(-staleness), until):
		return fmt.Sprintf("it was up and ready %s before, and the drain grace covers what failed since",
			until.Sub(j.lastUp.asked))
	}
	if code != "dampening" && code != "status_drain" && code != "status_maint" && code != "status_unknown" {
		j.lastDown = at
	}
	return ""
}

func timelineOf(states ...state) *timeline { return &timeline{states: states} }

// TestSoakJudge checks that the judge allows true replies and refuses untrue ones.
func TestSoakJudge(t *testing.T) {
	t.Parallel()
	base := time.Now()
	at := func(seconds float64) time.Time { return base.Add(time.Duration(seconds * float64(time.Second))) }
	always := func(value string) *timeline { return timelineOf(state{value: value, from: at(-100)}) }
	fails := func(value string) *timeline {
		return timelineOf(state{stateHealthy, at(-100), at(0)}, state{value, at(0), at(30)},
			state{stateHealthy, at(30), time.Time{}})
	}
	for name, c := range map[string]struct {
		node    *truth
		replies []string // each with its time in seconds; "!" before one that is not allowed
	}{
		"healthy": {&truth{jicofo: always(stateHealthy), prosody: always(stateHealthy), word: always("ready")}, []string{
			"1 up ready 100%", "!2 up drain 0% #status_drain", "!3 down ready 100% #prosody_timeout", "!4 up ready 0%",
			"!5 up maint 0%", "!6 down ready 100% #dampening", "!7 UP", "!8 up drain 100%", "!9 up drain 0%",
		}},
		"jicofo fails": {&truth{jicofo: fails(stateFails), prosody: always(stateHealthy), word: always("ready")}, []string{
			"-1 up ready 100%", "1 up ready 100%", "1 up drain 0% #jicofo_overloaded", "!5 up ready 100%",
			"!6 down ready 100% #jicofo_overloaded", "9 down ready 100% #jicofo_overloaded",
			"!13 up drain 0% #jicofo_overloaded", "29.9 down ready 100% #jicofo_overloaded",
			"30.5 down ready 100% #dampening", "!31 up ready 100%", "36 up ready 100%", "!39 down ready 100% #dampening",
		}},
		"prosody fails": {&truth{jicofo: always(stateHealthy), prosody: fails(stateFails), word: always("ready")}, []string{
			"-1 up ready 100%", "1 down ready 100% #prosody_unreachable", "!5 down drain 0%", "!5 up maint 0%",
			"!5 down ready 100% #jicofo_timeout", "!33 up drain 0%",
		}},
		"drained": {&truth{jicofo: always(stateHealthy), prosody: always(stateHealthy), word: always("drain")}, []string{
			"1 up drain 0% #status_drain", "!2 up ready 100%", "!3 up drain 100%", "!4 down drain 0% #status_drain",
		}},
	} {
		j := &judge{node: c.node}
		for _, line := range c.replies {
			line, refused := strings.CutPrefix(line, "!")
			var seconds float64
			_, err := fmt.Sscan(line, &seconds)
			_, reply, _ := strings.Cut(line, " ")
			why := j.verdict(reply, at(seconds), at(seconds+0.01))
			if err != nil || (why != "") != refused {
				t.Errorf("%s: %s: refused for %q", name, line, why)
			}
		}
	}
}
