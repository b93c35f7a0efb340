package health_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// The model check visits every state that a Machine can reach with small intervals: from each state it makes each
// observation, and lets a second pass. Two Machines are in the same state if their modelStates are equal. Ages above
// their interval count as the interval, so the number of states is finite.

// modelParts are the observations of each part that differ for the rules. The first one is healthy.
var modelParts = map[part][]*health.Observation{
	partJicofo: {
		modelJicofo(200, health.NoFailure, "", 100),
		modelJicofo(200, health.NoFailure, "", 1100),
		modelJicofo(503, health.NoFailure, "", 100),
		modelJicofo(0, health.FailureRefused, "", 0),
		modelJicofo(200, health.NoFailure, "no number", 0),
	},
	partProsody: {
		modelProsody(200, health.NoFailure), modelProsody(0, health.FailureTimeout), modelProsody(0, health.FailureReset),
	},
	partStatusFile: {
		modelFile("ready"), modelFile("maint"), modelFile("unhealthy"),
		{StatusFile: &health.StatusFile{Problem: "no such file"}},
	},
}

func modelJicofo(code int, failure health.Failure, problem string, participants float64) *health.Observation {
	j := &health.Jicofo{
		Health: health.Answer{Code: code, Failure: failure}, Stats: health.Answer{Code: 200}, StatsProblem: problem,
		Participants: participants,
	}
	if code == 0 {
		j.Stats = j.Health
	}
	return &health.Observation{Jicofo: j}
}

func modelProsody(code int, failure health.Failure) *health.Observation {
	return &health.Observation{Prosody: &health.Prosody{Health: health.Answer{Code: code, Failure: failure}}}
}

func modelFile(word string) *health.Observation {
	return &health.Observation{StatusFile: &health.StatusFile{Found: true, Contents: word}}
}

// none is the index of an observation that was not made, and the age of what never was.
const none = -1

// modelState is everything that the future of a Machine depends on.
type modelState struct {
	seen                     [3]int // the index of the last observation of each part
	beenHealthy              bool
	unhealthy                time.Duration
	open, raw, reported      bool
	began                    time.Duration
	refused                  [2]time.Duration // of jicofo and prosody
	jicofoGood, prosodyGood  bool
	participantsOfGoodJicofo float64
}

// visit is a Machine in a state.
type visit struct {
	machine health.Machine
	seen    [3]int
}

// state returns the state of the visit.
func (v *visit) state() modelState {
	cfg := v.machine.Config()
	c := v.machine.Checkpoint(v.machine.Now())
	age := func(age *time.Duration, limit time.Duration) time.Duration {
		if age == nil {
			return none
		}
		return min(*age, limit)
	}
	s := modelState{
		seen: v.seen, beenHealthy: c.BeenHealthy, unhealthy: age(c.Unhealthy, cfg.HealthDampening),
		refused: [2]time.Duration{
			age(c.Jicofo.Refused, cfg.UnreachableTolerance), age(c.Prosody.Refused, cfg.UnreachableTolerance),
		},
		jicofoGood: c.Jicofo.Good != nil, prosodyGood: c.Prosody.Good != nil,
	}
	if s.jicofoGood {
		s.participantsOfGoodJicofo = c.Jicofo.Good.Participants
	}
	if e := c.Episode; e != nil {
		s.open, s.raw, s.reported, s.began = true, e.RawUnhealthy, e.ReportedDown, min(e.Began, cfg.DrainGrace)
	}
	return s
}

// verdict returns the verdict without absolute times.
func (v *visit) verdict() string {
	verdict, now := v.machine.Verdict(), v.machine.Now()
	if !verdict.Known {
		return "none"
	}
	text := fmt.Sprintf("%s %t %t %s %v", verdict.AgentLine(), verdict.RawHealthy, verdict.Damped, verdict.Status, verdict.Codes())
	if !verdict.Until.IsZero() {
		text += " " + verdict.Until.Sub(now).String()
	}
	for _, t := range verdict.Tolerated {
		text += " " + t.Service
	}
	return text
}

func (v *visit) complete() bool { return !slices.Contains(v.seen[:], none) }

// observe returns the visit after an observation.
func (v *visit) observe(p part, i int) *visit {
	next := *v
	next.seen[p] = i
	o := *modelParts[p][i]
	o.At = next.machine.Now()
	next.machine.Observe(o)
	return &next
}

// pass returns the visit after some time.
func (v *visit) pass(d time.Duration) *visit {
	next := *v
	next.machine.Advance(next.machine.Now().Add(d))
	return &next
}

// model is the search through all states.
type model struct {
	t        *testing.T
	verdicts map[modelState]string
	queue    []*visit
	failures int
}

func (m *model) failf(v *visit, format string, args ...any) {
	if m.failures++; m.failures < 10 {
		m.t.Errorf("%+v, %s: %s", v.state(), v.verdict(), fmt.Sprintf(format, args...))
	}
}

// reach adds a visit to the search if its state is new. A state always has the same verdict.
func (m *model) reach(v *visit) {
	state, verdict := v.state(), v.verdict()
	if known, found := m.verdicts[state]; !found {
		m.verdicts[state] = verdict
		m.queue = append(m.queue, v)
	} else if known != verdict {
		m.failf(v, "another way to this state gives %s", known)
	}
}

// TestEveryState checks the invariants of the rules in every state that a Machine can reach.
func TestEveryState(t *testing.T) {
	t.Parallel()
	for _, scope := range []health.GraceScope{health.ScopeJicofo, health.ScopeSoft} {
		for _, s := range []struct{ dampening, grace, tolerance time.Duration }{
			{2, 4, 0}, {2, 3, 2}, {0, 2, 0}, {2, 0, 0},
		} {
			t.Run(fmt.Sprintf("%s %d %d %d", scope, s.dampening, s.grace, s.tolerance), func(t *testing.T) {
				t.Parallel()
				cfg := health.Config{
					ParticipantMax: 1000, WeightParticipants: true, DrainGraceScope: scope,
					HealthDampening: s.dampening * time.Second, DrainGrace: s.grace * time.Second,
					UnreachableTolerance: s.tolerance * time.Second,
				}
				m := &model{t: t, verdicts: map[modelState]string{}}
				m.reach(&visit{machine: *machineAtEpoch(cfg), seen: [3]int{none, none, none}})
				for len(m.queue) > 0 {
					v := m.queue[len(m.queue)-1]
					m.queue = m.queue[:len(m.queue)-1]
					m.check(v)
					m.checkRestarts(v)
					m.expand(v)
				}
				t.Logf("%d states", len(m.verdicts))
				if len(m.verdicts) < 300 {
					t.Error("too few states")
				}
			})
		}
	}
}

// expand reaches every state that follows a visit.
func (m *model) expand(v *visit) {
	next := []*visit{v.pass(time.Second)}
	for _, p := range everyPart {
		for i := range modelParts[p] {
			next = append(next, v.observe(p, i))
		}
	}
	for _, n := range next {
		m.checkGrace(v, n)
		m.checkDampening(v, n)
		m.reach(n)
	}
}

// counted returns the observations that count: the last good one of a service that is tolerated.
func (v *visit) counted() stretch {
	s := stretch{
		jicofo: modelParts[partJicofo][v.seen[0]].Jicofo, prosody: modelParts[partProsody][v.seen[1]].Prosody,
		file: modelParts[partStatusFile][v.seen[2]].StatusFile,
	}
	for _, t := range v.machine.Verdict().Tolerated {
		if t.Service == "jicofo" {
			s.jicofo = modelParts[partJicofo][0].Jicofo
		} else {
			s.prosody = modelParts[partProsody][0].Prosody
		}
	}
	return s
}

// check checks the invariants of one state.
func (m *model) check(v *visit) {
	verdict := v.machine.Verdict()
	if verdict.Known != v.complete() {
		m.failf(v, "there is a verdict: %t", verdict.Known)
	}
	if !verdict.Known {
		return
	}
	raw := v.counted().raw()
	if raw != verdict.RawHealthy || !raw && strings.HasPrefix(verdict.AgentLine(), "up ready") {
		m.failf(v, "raw health is %t", raw)
	}
	if verdict.Damped != (verdict.Healthy != verdict.RawHealthy) {
		m.failf(v, "damped although raw and reported health agree, or the other way round")
	}
	if w := verdict.Weight; w != 0 && w != 1 && (w%5 != 0 || w < 0 || w > 100) {
		m.failf(v, "the weight is %d", w)
	}
	if verdict.Damped && verdict.Until.IsZero() {
		m.failf(v, "damped without a deadline")
	}
	end := *v
	for n := 0; !end.machine.Verdict().Until.IsZero(); n++ {
		until := end.machine.Verdict().Until
		if !until.After(end.machine.Now()) || n > 5 {
			m.failf(v, "its deadlines do not end")
			return
		}
		end.machine.Advance(until)
	}
	if end.machine.Verdict().Damped {
		m.failf(v, "still damped in the end: %s", end.verdict())
	}
}

// checkGrace checks that a node is never down inside a grace that qualifies and that was not used up before.
func (m *model) checkGrace(before, after *visit) {
	if !after.complete() || after.counted().raw() {
		return
	}
	cfg := after.machine.Config()
	was, is := before.state(), after.state()
	if !was.beenHealthy || was.reported || is.began >= cfg.DrainGrace ||
		!after.counted().qualifies(cfg.DrainGraceScope) {
		return
	}
	if verdict := after.machine.Verdict(); !verdict.Healthy || !verdict.Damped ||
		verdict.Status != health.StatusDrain && verdict.Status != health.StatusMaint {
		m.failf(after, "after %+v it is inside a grace", was)
	}
}

// checkDampening checks that a node that was down and is well again stays down until the dampening interval is over.
func (m *model) checkDampening(before, after *visit) {
	was, is := before.machine.Verdict(), after.machine.Verdict()
	unhealthy := after.state().unhealthy
	if !was.Known || was.Healthy || unhealthy == none || unhealthy >= after.machine.Config().HealthDampening {
		return
	}
	if is.RawHealthy && is.Healthy {
		m.failf(after, "after %s it is up before the dampening ends", before.verdict())
	}
}

// checkRestarts restarts the process in this state. If the new process first observes what the old one observed last,
// at once or after some seconds, it is in the state of a process that was not restarted. So every further reply is the
// same. A tolerance that ended between the processes is an exception: see docs/decisions.md.
func (m *model) checkRestarts(v *visit) {
	if !v.complete() {
		return
	}
	for _, gap := range []time.Duration{0, 2 * time.Second, 4 * time.Second} {
		stayed := v.pass(gap)
		if len(v.machine.Verdict().Tolerated) != len(stayed.machine.Verdict().Tolerated) {
			continue
		}
		now := stayed.machine.Now()
		restarted := &visit{machine: *health.NewMachine(v.machine.Config()), seen: [3]int{none, none, none}}
		restarted.machine.Restore(v.machine.Checkpoint(v.machine.Now()), gap, now)
		for _, p := range everyPart {
			if restarted.machine.Verdict().Known {
				m.failf(v, "a verdict before all parts were observed")
			}
			stayed, restarted = stayed.observe(p, v.seen[p]), restarted.observe(p, v.seen[p])
		}
		if stayed.state() != restarted.state() || stayed.verdict() != restarted.verdict() {
			m.failf(v, "after a restart of %s it is %+v, %s; without one %+v, %s", gap,
				restarted.state(), restarted.verdict(), stayed.state(), stayed.verdict())
		}
	}
}
