package health_test

import (
	"context"
	"flag"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// epoch is time 0 of the timelines below.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// The reference implements the rules in the simplest way: it keeps every observation, and derives each verdict
// from the whole history. It shares no rule with the Machine and keeps no state between two verdicts.
type reference struct {
	cfg     health.Config
	history []seen
}

// seen is an observation in the history. at is the time since the epoch.
type seen struct {
	at time.Duration
	health.Observation
}

// said is the part of a verdict in which the reference and the Machine must agree.
type said struct {
	known, healthy, raw, damped bool
	status                      string
	weight                      int
	until                       time.Duration // -1: it does not change by itself
	agent                       string
	runs                        int
}

// A stretch is the time between two observations, with the latest value of each part. Its end belongs to it: a deadline
// comes before an observation at the same time.
type stretch struct {
	from, to      time.Duration
	jicofo        *health.Jicofo
	prosody       *health.Prosody
	file          *health.StatusFile
	lastUnhealthy time.Duration // when a part was last unhealthy; long ago if never
}

// stretches returns the stretches up to now, from the first observation after which all three parts were known.
func (r reference) stretches(now time.Duration) []stretch {
	history, _ := r.counted(now)
	all := make([]stretch, 0, len(history))
	var jicofo *health.Jicofo
	var prosody *health.Prosody
	var file *health.StatusFile
	lastUnhealthy := -1000 * time.Hour
	for i, o := range history {
		s := stretch{from: o.at, to: now}
		if i+1 < len(history) {
			s.to = history[i+1].at
		}
		switch {
		case o.Jicofo != nil:
			jicofo = o.Jicofo
			if !jicofoFine(jicofo) {
				lastUnhealthy = o.at
			}
		case o.Prosody != nil:
			prosody = o.Prosody
			if !prosodyFine(prosody) {
				lastUnhealthy = o.at
			}
		case o.StatusFile != nil:
			file = o.StatusFile
			if !fileFine(file) {
				lastUnhealthy = o.at
			}
		}
		if jicofo != nil && prosody != nil && file != nil {
			s.jicofo, s.prosody, s.file, s.lastUnhealthy = jicofo, prosody, file, lastUnhealthy
			all = append(all, s)
		}
	}
	return all
}

// counted returns the history up to now as the rules count it: a tolerated failure counts only from the end of its
// tolerance. It also returns the end of the next tolerance, -1 if there is none.
func (r reference) counted(now time.Duration) (history []seen, until time.Duration) {
	fine := map[string]bool{}                 // whether the observation that counts is healthy
	first := map[string]time.Duration{}       // the first refusal of a tolerated service
	latest := map[string]health.Observation{} // its latest refusal
	end := func(to time.Duration) {
		for len(first) > 0 {
			service := "jicofo"
			if j, ok := first["jicofo"]; !ok || hasBefore(first, "prosody", j) {
				service = "prosody"
			}
			at := first[service] + r.cfg.UnreachableTolerance
			if at > to {
				return
			}
			history = append(history, seen{at, latest[service]})
			fine[service] = false
			delete(first, service)
		}
	}
	for _, o := range r.history {
		end(o.at)
		service, refusing, works := "", false, false
		switch {
		case o.Jicofo != nil:
			service, refusing, works = "jicofo", onlyRefuses(o.Jicofo), jicofoFine(o.Jicofo)
		case o.Prosody != nil:
			service, refusing, works = "prosody", refuses(o.Prosody.Health), prosodyFine(o.Prosody)
		}
		_, tolerated := first[service]
		if refusing && r.cfg.UnreachableTolerance > 0 && (tolerated || fine[service]) {
			if !tolerated {
				first[service] = o.at
			}
			latest[service] = o.Observation
			continue
		}
		delete(first, service)
		fine[service] = works
		history = append(history, o)
	}
	end(now)
	until = -1
	for _, at := range first {
		if until < 0 || at+r.cfg.UnreachableTolerance < until {
			until = at + r.cfg.UnreachableTolerance
		}
	}
	return history, until
}

func hasBefore(first map[string]time.Duration, service string, other time.Duration) bool {
	at, ok := first[service]
	return ok && at < other
}

func refuses(a health.Answer) bool {
	return a.Failure == health.FailureRefused || a.Failure == health.FailureReset
}

// onlyRefuses reports whether refused connections are the only failure of jicofo.
func onlyRefuses(j *health.Jicofo) bool {
	healthFine, statsFine := j.Health.Code == 200, j.Stats.Code == 200 && j.StatsProblem == ""
	switch {
	case refuses(j.Health) && refuses(j.Stats):
		return true
	case refuses(j.Health):
		return statsFine
	case refuses(j.Stats):
		return healthFine
	}
	return false
}

func jicofoFine(j *health.Jicofo) bool {
	return j.Health.Code == 200 && j.Stats.Code == 200 && j.StatsProblem == ""
}

func prosodyFine(p *health.Prosody) bool { return p.Health.Code == 200 }

// javaScriptTrims is ECMAScript's WhiteSpace and LineTerminator, character by character.
const javaScriptTrims = "\t\v\f\u0020\u00A0\uFEFF\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A" +
	"\u202F\u205F\u3000" + "\n\r\u2028\u2029"

func fileWord(f *health.StatusFile) string {
	return strings.ToLower(strings.Trim(f.Contents, javaScriptTrims))
}

func fileFine(f *health.StatusFile) bool { return f.Found && fileWord(f) != "unhealthy" }

func (s stretch) raw() bool {
	return jicofoFine(s.jicofo) && prosodyFine(s.prosody) && fileFine(s.file)
}

// qualifies reports whether the drain grace covers what is wrong in a stretch.
func (s stretch) qualifies(scope health.GraceScope) bool {
	jicofoHealthy := s.jicofo.Health.Code == 200 && s.jicofo.Stats.Code == 200
	jicofoSoftDown := s.jicofo.Health.Code == 503
	prosodyHealthy := s.prosody.Health.Code == 200
	prosodySoftDown := s.prosody.Health.Failure == health.FailureTimeout
	if !fileFine(s.file) {
		return false
	}
	switch scope {
	case health.ScopeJicofo:
		if (!jicofoHealthy || s.jicofo.StatsProblem != "") && prosodyHealthy {
			return true
		}
		return prosodySoftDown && (jicofoHealthy || jicofoSoftDown)
	case health.ScopeSoft:
		if jicofoSoftDown && (prosodyHealthy || prosodySoftDown) {
			return true
		}
		return prosodySoftDown && jicofoHealthy
	}
	panic("no such scope")
}

// covered reports whether the failure at a time in stretch i may be reported as drain, whatever was reported before.
// The episode began with stretch began.
func (r reference) covered(all []stretch, began, i int, at time.Duration) bool {
	everHealthy := slices.ContainsFunc(all[:i], stretch.raw)
	return everHealthy && at-all[began].from < r.cfg.DrainGrace && all[i].qualifies(r.cfg.DrainGraceScope)
}

// inGrace reports whether stretch i is reported as drain at a time in it. After an episode was reported unhealthy, it
// is never reported as drain again.
func (r reference) inGrace(all []stretch, began, i int, at time.Duration) bool {
	return r.covered(all, began, i, at) && !r.reportedDown(all, began, i-1)
}

// reportedDown reports whether any time in the stretches began to last was reported unhealthy because of a failure at
// that time.
func (r reference) reportedDown(all []stretch, began, last int) bool {
	for i := began; i <= last; i++ {
		if !all[i].raw() && !r.covered(all, began, i, all[i].to) {
			return true
		}
	}
	return false
}

// dampened reports whether stretch i, which is raw healthy again, is still reported unhealthy at a time in it.
func (r reference) dampened(all []stretch, began, i int, at time.Duration) bool {
	return r.reportedDown(all, began, i) && at-all[i].lastUnhealthy < r.cfg.HealthDampening
}

// episode returns the first stretch of the current episode, -1 if there is none.
func (r reference) episode(all []stretch) int {
	began := -1
	for i, s := range all {
		switch {
		case began < 0 && !s.raw():
			began = i
		case began >= 0 && s.raw() && !r.dampened(all, began, i, s.to):
			began = -1
		}
	}
	return began
}

// verdict returns the verdict at a time.
func (r reference) verdict(now time.Duration) said {
	all := r.stretches(now)
	if len(all) == 0 {
		return said{until: -1}
	}
	last, began := len(all)-1, r.episode(all)
	s := all[last]
	v := said{known: true, healthy: s.raw(), raw: s.raw(), status: r.status(s), until: -1}
	switch {
	case began >= 0 && s.raw():
		v.healthy, v.damped, v.until = false, true, s.lastUnhealthy+r.cfg.HealthDampening
	case began >= 0 && r.inGrace(all, began, last, now):
		v.healthy, v.damped, v.until = true, true, all[began].from+r.cfg.DrainGrace
		if v.status != "maint" {
			v.status = "drain"
		}
	}
	if _, until := r.counted(now); until >= 0 && (v.until < 0 || until < v.until) {
		v.until = until
	}
	v.weight = r.weight(s, v.status)
	v.agent = r.agent(v)
	for i := range all {
		if !all[i].raw() && (i == 0 || all[i-1].raw()) {
			v.runs++
		}
	}
	return v
}

func (r reference) status(s stretch) string {
	word := fileWord(s.file)
	switch {
	case !s.file.Found:
		return "unknown"
	case word == "ready" && jicofoFine(s.jicofo) && s.jicofo.Participants > r.cfg.ParticipantMax:
		return "drain"
	case word == "ready" || word == "drain" || word == "maint":
		return word
	case word == "unhealthy":
		return "drain"
	default:
		return "unknown"
	}
}

// weight uses integers only and finds the nearest multiple of five by trying all of them.
func (r reference) weight(s stretch, status string) int {
	switch {
	case status == "drain" || status == "maint":
		return 0
	case !r.cfg.WeightParticipants:
		return 100
	case !jicofoFine(s.jicofo):
		return 0
	}
	exact := 100 - 100*int(s.jicofo.Participants)/int(r.cfg.ParticipantMax)
	nearest := 0
	for five := 0; five <= 100; five += 5 {
		if max(five-exact, exact-five) < max(nearest-exact, exact-nearest) {
			nearest = five
		}
	}
	return max(nearest, 1)
}

func (r reference) agent(v said) string {
	upDown, word := "down", v.status
	if v.healthy {
		upDown = "up"
	}
	if word == "unknown" {
		word = "drain"
	}
	return upDown + " " + word + " " + strconv.Itoa(v.weight) + "%"
}

// told converts a verdict of the Machine to the reference's type.
func told(v health.Verdict, runs int) said {
	s := said{
		known: v.Known, healthy: v.Healthy, raw: v.RawHealthy, damped: v.Damped,
		status: string(v.Status), weight: v.Weight, until: -1, agent: v.AgentLine(), runs: runs,
	}
	if !v.Until.IsZero() {
		s.until = v.Until.Sub(epoch)
	}
	return s
}

// --- random timelines ---

// A step of a random timeline: time passes, and then there is an observation or none.
type step struct {
	at time.Duration // may be before the previous step's: the Machine must not run backwards
	o  *health.Observation
}

func (s step) String() string {
	if s.o == nil {
		return fmt.Sprintf("%s: time passes", s.at)
	}
	switch {
	case s.o.Jicofo != nil:
		return fmt.Sprintf("%s: jicofo %+v", s.at, *s.o.Jicofo)
	case s.o.Prosody != nil:
		return fmt.Sprintf("%s: prosody %+v", s.at, *s.o.Prosody)
	case s.o.StatusFile != nil:
		return fmt.Sprintf("%s: file %+v", s.at, *s.o.StatusFile)
	}
	return fmt.Sprintf("%s: census", s.at)
}

func (s step) take(m *health.Machine) health.Verdict {
	if s.o == nil {
		m.Advance(epoch.Add(s.at))
	} else {
		m.Observe(s.observation())
	}
	return m.Verdict()
}

// observation returns the step's observation with its time.
func (s step) observation() health.Observation {
	o := *s.o
	o.At = epoch.Add(s.at)
	return o
}

var answers = []health.Answer{
	{Code: 200}, {Code: 200}, {Code: 200}, {Code: 503}, {Code: 500}, {Failure: health.FailureTimeout},
	{Failure: health.FailureRefused},
	{Failure: health.FailureReset}, {Failure: health.FailureResolve},
}

func drawConfig(t *rapid.T) health.Config {
	interval := rapid.SampledFrom([]time.Duration{0, 1, time.Second, 5 * time.Second, 30 * time.Second, 120 * time.Second})
	c := health.Config{
		ParticipantMax:     rapid.SampledFrom([]float64{1, 7, 100, 5000}).Draw(t, "max"),
		WeightParticipants: rapid.Bool().Draw(t, "weight"),
		HealthDampening:    interval.Draw(t, "dampening"),
		DrainGrace:         interval.Draw(t, "grace"),
		DrainGraceScope:    rapid.SampledFrom([]health.GraceScope{health.ScopeJicofo, health.ScopeSoft}).Draw(t, "scope"),

		UnreachableTolerance: rapid.SampledFrom([]time.Duration{0, 1, 2 * time.Second, 5 * time.Second}).Draw(t, "tolerance"),
	}
	if rapid.Bool().Draw(t, "normalize") {
		c, _ = c.Normalize()
	}
	return c
}

func drawObservation(t *rapid.T, cfg health.Config) *health.Observation {
	answer := rapid.SampledFrom(answers)
	switch rapid.SampledFrom([]string{"jicofo", "jicofo", "prosody", "file", "census"}).Draw(t, "part") {
	case "jicofo":
		j := health.Jicofo{Health: answer.Draw(t, "health"), Stats: answer.Draw(t, "stats")}
		j.StatsProblem = rapid.SampledFrom([]string{"", "", "", "not a number"}).Draw(t, "problem")
		limit := int(cfg.ParticipantMax)
		j.Participants = float64(rapid.OneOf(
			rapid.IntRange(0, limit), rapid.IntRange(limit, limit+1),
		).Draw(t, "participants"))
		return &health.Observation{Jicofo: &j}
	case "prosody":
		return &health.Observation{Prosody: &health.Prosody{Health: answer.Draw(t, "http-bind")}}
	case "file":
		words := []string{"ready", "ready", "\uFEFFREADY\n", "drain", "Maint", "unhealthy", "", "other"}
		file := health.StatusFile{Contents: rapid.SampledFrom(words).Draw(t, "contents"), Found: true}
		if rapid.IntRange(0, 9).Draw(t, "missing") == 9 {
			file = health.StatusFile{Problem: "gone"}
		}
		return &health.Observation{StatusFile: &file}
	default:
		return &health.Observation{Census: &health.Census{Answer: answer.Draw(t, "census")}}
	}
}

// drawStep draws how far time moves: not at all, a little, a lot, backwards, or to just before, at or just after the
// current deadline, if there is one.
func drawStep(t *rapid.T, cfg health.Config, now, until time.Duration) step {
	s := step{at: now + rapid.SampledFrom([]time.Duration{
		0, 1, time.Second, 4 * time.Second, 5 * time.Second, 31 * time.Second, 121 * time.Second, -2 * time.Second,
	}).Draw(t, "pass")}
	if until >= 0 && rapid.Bool().Draw(t, "to the deadline") {
		s.at = until + time.Duration(rapid.IntRange(-1, 1).Draw(t, "ns"))
	}
	if rapid.IntRange(0, 4).Draw(t, "observe") > 0 {
		s.o = drawObservation(t, cfg)
	}
	return s
}

// startWorking lets about half of the random timelines begin with a working node. Otherwise few of them would have a
// verdict.
func startWorking(t *rapid.T) []step {
	if !rapid.Bool().Draw(t, "start working") {
		return nil
	}
	n := workingNode()
	n.jicofo.Participants = 0
	var steps []step
	for _, each := range []part{partJicofo, partProsody, partStatusFile} {
		o := n.observe(each, epoch)
		steps = append(steps, step{o: &o})
	}
	return steps
}

// machineAtEpoch returns a Machine whose time is the epoch. Without it, a first step backwards would not be one.
func machineAtEpoch(cfg health.Config) *health.Machine {
	m := health.NewMachine(cfg)
	m.Advance(epoch)
	return m
}

// drawTimeline runs a random timeline on a Machine and calls check with each step and its verdict.
func drawTimeline(t *rapid.T, cfg health.Config,
	check func(m *health.Machine, s step, now time.Duration, v health.Verdict)) {
	m := machineAtEpoch(cfg)
	now, until := time.Duration(0), time.Duration(-1)
	play := func(s step) {
		v := s.take(m)
		now, until = max(now, s.at), told(v, 0).until
		check(m, s, now, v)
	}
	for _, s := range startWorking(t) {
		play(s)
	}
	for range rapid.IntRange(1, 30).Draw(t, "steps") {
		play(drawStep(t, cfg, now, until))
	}
}

// TestMachineAgreesWithReference checks that the Machine and the reference agree on random timelines.
func TestMachineAgreesWithReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		r, monitor := reference{cfg: cfg}, health.NewMonitor(cfg)
		drawTimeline(t, cfg, func(m *health.Machine, s step, now time.Duration, v health.Verdict) {
			if s.o != nil {
				r.history = append(r.history, seen{now, *s.o})
				monitor.Observe(context.Background(), step{now, s.o}.observation())
			}
			want := r.verdict(now)
			got := told(v, monitor.Current().UnhealthyRuns)
			if s.o == nil {
				got.runs = want.runs // no time passes for the monitor, which does not run
			}
			if got != want {
				t.Fatalf("%s\nthe machine says   %+v\nthe reference says %+v", s, got, want)
			}
		})
	})
}

var sequenceLength = flag.Int("sequence", 5, "letters in the longest sequences of TestMachineExhaustively")

// TestMachineExhaustively runs every sequence of a small alphabet, one letter every 5 s. Deadlines fall on a letter
// (grace 10 s, dampening 5 s) or between two letters (12 s, 7 s), on a node that works at first and on one that does
// not.
func TestMachineExhaustively(t *testing.T) {
	length := *sequenceLength
	ok, unwell := health.Answer{Code: 200}, health.Answer{Code: 503}
	timeout, refused := health.Answer{Failure: health.FailureTimeout}, health.Answer{Failure: health.FailureRefused}
	alphabet := []*health.Observation{
		{Jicofo: &health.Jicofo{Health: ok, Stats: ok}},
		{Jicofo: &health.Jicofo{Health: unwell, Stats: ok}},
		{Jicofo: &health.Jicofo{Health: refused, Stats: refused}},
		{Prosody: &health.Prosody{Health: ok}},
		{Prosody: &health.Prosody{Health: timeout}},
		{StatusFile: &health.StatusFile{Found: true, Contents: "unhealthy"}},
		{StatusFile: &health.StatusFile{Found: true, Contents: "maint"}},
	}
	working, unwellStart := []int{0, 3, 6}, []int{1, 3, 6}
	for _, c := range []struct {
		scope            health.GraceScope
		grace, dampening time.Duration
		tolerance        time.Duration
		start            []int
		length           int
	}{
		{health.ScopeJicofo, 10 * time.Second, 5 * time.Second, 0, working, length},
		{health.ScopeSoft, 12 * time.Second, 7 * time.Second, 0, working, length - 1},
		{health.ScopeJicofo, 12 * time.Second, 10 * time.Second, 0, unwellStart, length - 1},
		{health.ScopeJicofo, 12 * time.Second, 10 * time.Second, 7 * time.Second, working, length - 2},
		{health.ScopeJicofo, 10 * time.Second, 5 * time.Second, 5 * time.Second, working, length - 2},
	} {
		cfg := health.Config{
			ParticipantMax: 10, DrainGrace: c.grace, HealthDampening: c.dampening, DrainGraceScope: c.scope,
			UnreachableTolerance: c.tolerance,
		}
		t.Run(fmt.Sprintf("%s %s %s %s", c.scope, c.grace, c.dampening, c.tolerance), func(t *testing.T) {
			t.Parallel()
			e := explorer{alphabet: alphabet, reference: reference{cfg: cfg}}
			m := health.NewMachine(cfg)
			for _, letter := range c.start {
				step{0, alphabet[letter]}.take(m)
				e.reference.history = append(e.reference.history, seen{0, *alphabet[letter]})
			}
			if !e.explore(m, c.length) {
				t.Error(e.failure)
			}
			t.Logf("%d verdicts compared", e.compared)
		})
	}
}

// TestMachineEveryCombination covers every combination of the parts at one time, on a node that has worked before.
func TestMachineEveryCombination(t *testing.T) {
	answers := []health.Answer{
		{Code: 200}, {Code: 503}, {Code: 500}, {Failure: health.FailureTimeout}, {Failure: health.FailureRefused},
	}
	files := []health.StatusFile{{}}
	for _, contents := range []string{"ready", "drain", "maint", "unhealthy", "", "else"} {
		files = append(files, health.StatusFile{Found: true, Contents: contents})
	}
	for _, file := range files {
		for _, prosody := range answers {
			for _, jicofo := range answers {
				for _, stats := range answers {
					for _, problem := range []string{"", "no number"} {
						for _, participants := range []float64{333, 1001} {
							compareAtOneMoment(t, node{
								jicofo: health.Jicofo{
									Health: jicofo, Stats: stats, StatsProblem: problem, Participants: participants,
								},
								prosody: health.Prosody{Health: prosody}, statusFile: file,
							})
						}
					}
				}
			}
		}
	}
}

// compareAtOneMoment compares the verdicts for a node that worked 10 s ago and is now in this state.
func compareAtOneMoment(t *testing.T, n node) {
	for _, scope := range []health.GraceScope{health.ScopeJicofo, health.ScopeSoft} {
		cfg := defaultConfig()
		cfg.DrainGraceScope, cfg.ParticipantMax, cfg.WeightParticipants = scope, 1000, true
		m, r := health.NewMachine(cfg), reference{cfg: cfg}
		var v health.Verdict
		for _, moment := range []struct {
			at time.Duration
			node
		}{{0, workingNode()}, {10 * time.Second, n}} {
			for _, each := range []part{partJicofo, partProsody, partStatusFile} {
				o := moment.observe(each, epoch.Add(moment.at))
				v = m.Observe(o).Verdict
				r.history = append(r.history, seen{moment.at, o})
			}
		}
		got, want := told(v, 0), r.verdict(10*time.Second)
		got.runs = want.runs // a verdict does not hold the number of runs
		if got != want {
			t.Errorf("the machine says   %+v\nthe reference says %+v\nafter %s", got, want, r)
		}
	}
}

// explorer walks the tree of all sequences of an alphabet, depth first. It copies the Machine at each branch.
type explorer struct {
	alphabet  []*health.Observation
	reference reference
	compared  int
	failure   string
}

// explore runs every sequence of a length from here on. It returns false at the first difference.
func (e *explorer) explore(m *health.Machine, length int) bool {
	if length == 0 {
		return true
	}
	past := e.reference.history
	at := past[len(past)-1].at + 5*time.Second
	for _, letter := range e.alphabet {
		branch := *m
		s := step{at, letter}
		e.reference.history = append(past, seen{at, *letter})
		got, want := told(s.take(&branch), 0), e.reference.verdict(at)
		got.runs = want.runs // a verdict does not hold the number of runs
		e.compared++
		if got != want {
			e.failure = fmt.Sprintf("the machine says   %+v\nthe reference says %+v\nafter %s", got, want, e.reference)
			return false
		}
		if !e.explore(&branch, length-1) {
			return false
		}
	}
	e.reference.history = past
	return true
}

// String returns the timeline of the reference.
func (r reference) String() string {
	var all []string
	for _, o := range r.history {
		all = append(all, step{o.at, &o.Observation}.String())
	}
	return strings.Join(all, "\n      ")
}

// TestMachineDependsOnNothingElse checks that the same observations at the same times give the same verdicts and
// reasons. A call of Advance in between must not change them, because a reader must not affect the health of a node.
func TestMachineDependsOnNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		again, asked := machineAtEpoch(cfg), machineAtEpoch(cfg)
		previous := -time.Hour // before anything was observed
		drawTimeline(t, cfg, func(_ *health.Machine, s step, _ time.Duration, v health.Verdict) {
			if same := s.take(again); !reflect.DeepEqual(v, same) {
				t.Fatalf("%s: once %+v, once %+v", s, v, same)
			}
			for range rapid.IntRange(0, 3).Draw(t, "questions") {
				previous += time.Duration(rapid.Int64Range(0, int64(max(0, s.at-previous))).Draw(t, "ask at"))
				asked.Advance(epoch.Add(previous))
			}
			if same := s.take(asked); !reflect.DeepEqual(v, same) {
				t.Fatalf("%s: %+v, but %+v if asked in between", s, v, same)
			}
			previous = max(previous, s.at)
		})
	})
}

// TestUntilIsTheNextChange checks that Until lies in the future, that nothing changes before it, that the verdict of
// Next holds from it on, and that a verdict without Until never changes.
func TestUntilIsTheNextChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		drawTimeline(t, cfg, func(m *health.Machine, s step, now time.Duration, v health.Verdict) {
			before, at, ever := *m, *m, *m
			if v.Until.IsZero() {
				if later := advance(&ever, epoch.Add(now+1000*time.Hour)); !reflect.DeepEqual(v, later) {
					t.Fatalf("%s: %+v without a deadline turned into %+v", s, v, later)
				}
				return
			}
			if !v.Until.After(epoch.Add(now)) {
				t.Fatalf("%s: at %s the verdict changes at %s", s, now, v.Until.Sub(epoch))
			}
			if still := advance(&before, v.Until.Add(-1)); !reflect.DeepEqual(v, still) {
				t.Fatalf("%s: 1 ns before its deadline %+v turned into %+v", s, v, still)
			}
			next, _ := m.Next()
			if next.Same(v) && slices.Equal(next.Codes(), v.Codes()) && len(v.Tolerated) == 0 {
				t.Fatalf("%s: nothing changes at the deadline of %+v", s, v)
			}
			if still := advance(m, epoch.Add(now)); !reflect.DeepEqual(v, still) {
				t.Fatalf("%s: foretelling turned %+v into %+v", s, v, still)
			}
			if real := advance(&at, v.Until); !reflect.DeepEqual(real, next) {
				t.Fatalf("%s: foretold %+v, came %+v", s, next, real)
			}
		})
	})
}

// advance moves the time forward and returns the verdict after it.
func advance(m *health.Machine, to time.Time) health.Verdict {
	m.Advance(to)
	return m.Verdict()
}
