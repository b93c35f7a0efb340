package recording

import (
	"fmt"
	"slices"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// Run is one part of a recording without a gap. Its times are the start plus monotonic time, so a jump of the wall
// clock during the recording does not change them.
type Run struct {
	// Line is the line of the header in the file, from 1.
	Line int
	// Start is the time of the header, End that of the last line.
	Start, End time.Time
	// Config is the config that was in use.
	Config health.Config
	// Observations are in the order in which they were taken in. Only Read keeps them.
	Observations []health.Observation
	// Recorded are the recorded changes of the verdict. Only Read keeps them.
	Recorded []Change
	// Complete reports whether every line of the run could be read.
	Complete bool

	machine *health.Machine // at the start; nil if it had no observations
}

// Change is a change of the verdict in a recording.
type Change struct {
	Line    int // in the file, from 1
	At      time.Time
	Agent   string
	Status  health.Status
	Damped  bool
	Reasons []health.Code
	Until   time.Time
	// Incident is named after the wall clock. A replay gives another name if the clock was set during the recording.
	Incident string
}

// changeOf returns a replayed change in the form of a recorded one.
func changeOf(c health.Change) Change {
	return Change{
		At: c.At, Agent: c.To.AgentLine(), Status: c.To.Status, Damped: c.To.Damped, Reasons: c.To.Codes(), Until: c.To.Until,
		Incident: c.Incident(),
	}
}

// same reports whether two changes are the same. It does not compare the names of the incidents.
func (c Change) same(d Change) bool {
	return c.At.Equal(d.At) && c.Agent == d.Agent && c.Status == d.Status && c.Damped == d.Damped &&
		c.Until.Equal(d.Until) && slices.Equal(c.Reasons, d.Reasons)
}

// String returns the change as one line.
func (c Change) String() string {
	text := fmt.Sprintf("%s %s (status %s)", stamp(health.Time(c.At)), c.Agent, c.Status)
	if c.Damped {
		text += " damped"
	}
	if !c.Until.IsZero() {
		text += " until " + stamp(health.Time(c.Until))
	}
	return fmt.Sprint(text, " ", c.Reasons)
}

// Machine returns the Machine at the start of the run, with the given config instead of the recorded one.
func (r *Run) Machine(cfg health.Config) *health.Machine {
	m := health.NewMachine(cfg)
	if r.machine != nil {
		m = r.machine.WithConfig(cfg)
	}
	m.Advance(r.Start)
	return m
}

// player replays a run with a config, one observation after the other, and passes on each step. The state at the start
// comes from the recorded config.
type player struct {
	machine *health.Machine
	step    func(health.Step)
}

func (p player) observe(o health.Observation) {
	p.advance(o.At)
	p.step(p.machine.Observe(o))
}

// advance lets time pass. At the end of a run it passes until the last line, because nothing was recorded after it.
func (p player) advance(at time.Time) {
	if step, passed := p.machine.Advance(at); passed {
		p.step(step)
	}
}

// play replays a run that has its observations.
func (r *Run) play(cfg health.Config, step func(health.Step)) {
	p := player{r.Machine(cfg), step}
	for _, o := range r.Observations {
		p.observe(o)
	}
	p.advance(r.End)
}

// Replay returns the changes of the verdict in a replay with the given config.
func (r *Run) Replay(cfg health.Config) []health.Change {
	var changes []health.Change
	r.play(cfg, func(step health.Step) { changes = append(changes, step.Changes...) })
	return changes
}

// Compare replays the run with the recorded config. It returns the first difference from the recorded changes, or nil.
func (r *Run) Compare() *Problem {
	c := comparison{run: r}
	for _, change := range r.Recorded {
		c.add(&c.recorded, change)
	}
	r.play(r.Config, c.step)
	return c.end()
}

// comparison compares replayed changes with the recorded ones. It keeps only those whose counterpart is still missing.
type comparison struct {
	run                *Run
	replayed, recorded []Change
	problem            *Problem // the first difference
}

func (c *comparison) step(s health.Step) {
	for _, change := range s.Changes {
		c.add(&c.replayed, changeOf(change))
	}
}

// add adds a change to one of the two lists, and removes a pair.
func (c *comparison) add(to *[]Change, change Change) {
	if c.problem != nil {
		return
	}
	*to = append(*to, change)
	if len(c.replayed) == 0 || len(c.recorded) == 0 {
		return
	}
	if a, b := c.recorded[0], c.replayed[0]; !a.same(b) {
		c.problem = &Problem{a.Line, fmt.Sprintf("recorded: %s; replayed: %s", a, b)}
	}
	c.replayed, c.recorded = c.replayed[1:], c.recorded[1:]
}

// end returns the first difference when all changes have been added, or nil.
func (c *comparison) end() *Problem {
	switch {
	case c.problem != nil:
	case len(c.replayed) > 0:
		c.problem = &Problem{c.run.Line, "replayed, but not recorded: " + c.replayed[0].String()}
	case len(c.recorded) > 0:
		c.problem = &Problem{c.recorded[0].Line, "recorded, but not replayed: " + c.recorded[0].String()}
	}
	return c.problem
}
