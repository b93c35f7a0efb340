package health

import "time"

// Machine derives the verdict from observations and time (spec section 3). It is deterministic, reads no clock and
// starts nothing; it is not safe for concurrent use. A copy of a Machine is an independent Machine.
//
// Time never runs backwards in a Machine: an earlier instant than the latest it has seen counts as that latest one.
// A deadline comes before an observation of the same instant.
type Machine struct {
	cfg     Config
	now     time.Time
	verdict Verdict // at now
	latest  Observation

	jicofoRefusal  refusal[Jicofo]
	prosodyRefusal refusal[Prosody]

	lastUnhealthy time.Time // when a part was last seen unhealthy
	beenHealthy   bool      // whether the node was ever healthy
	unhealthyRuns int       // how often the node turned unhealthy
	episode       episode
}

// An episode begins when the node turns unhealthy and ends when it is reported healthy without mitigation again. A node
// that relapses while its return is dampened is therefore still in the same episode. An episode that was reported unhealthy
// gets no grace any more: else a node that is down would come up because something else fails.
type episode struct {
	open         bool
	rawUnhealthy bool // the node is unhealthy at this moment of the episode
	began        time.Time
	reportedDown bool // it was reported unhealthy at some moment of the episode
}

// NewMachine returns a Machine that has seen nothing. The config is taken as it is: see Config.Normalize.
func NewMachine(cfg Config) *Machine { return &Machine{cfg: cfg} }

// Config returns the config in force.
func (m *Machine) Config() Config { return m.cfg }

// Now returns the latest instant that the Machine has seen, zero before the first.
func (m *Machine) Now() time.Time { return m.now }

// Verdict returns the verdict at Now.
func (m *Machine) Verdict() Verdict { return m.verdict }

// WithConfig returns a copy with another config, and the verdict that follows from it at Now.
func (m *Machine) WithConfig(cfg Config) *Machine {
	changed := *m
	changed.cfg = cfg
	changed.derive()
	changed.passDeadlines(changed.now)
	return &changed
}

// Observe passes the deadlines up to o.At, each at its moment, and then takes in the observation.
func (m *Machine) Observe(o Observation) Step {
	step := Step{Observation: o.Bounded(), before: m.bounded()}
	_, step.Changes = m.passDeadlines(o.At)
	from := m.verdict
	m.take(o)
	m.derive()
	step.At, step.Verdict = m.now, m.verdict
	step.Changes = appendChange(step.Changes, m.now, from, m.verdict)
	return step
}

// Advance lets time pass to now, with every deadline on the way, each at its moment. It returns false when no deadline was
// passed: nothing happened then.
func (m *Machine) Advance(now time.Time) (Step, bool) {
	if at := m.deadline(); at.IsZero() || at.After(now) {
		m.moveTo(now)
		return Step{}, false
	}
	step := Step{before: m.bounded()}
	step.At, step.Changes = m.passDeadlines(now)
	step.Verdict = m.verdict
	return step, true
}

// Next returns the verdict from Verdict.Until on if nothing is observed before. It is false when the verdict does not
// change by itself.
func (m *Machine) Next() (Verdict, bool) {
	if m.verdict.Until.IsZero() {
		return Verdict{}, false
	}
	future := *m
	future.passDeadlines(m.verdict.Until)
	return future.verdict, true
}

// take replaces what was known of a part by what was observed, unless that is tolerated.
func (m *Machine) take(o Observation) {
	unhealthy := false
	switch {
	case o.Jicofo != nil:
		tolerable := m.cfg.UnreachableTolerance > 0 && m.jicofoWorks()
		if m.jicofoRefusal.take(o.Jicofo, o.Jicofo.refused(), tolerable, m.now) {
			m.latest.Jicofo = o.Jicofo
			unhealthy = !m.jicofoWorks()
		}
	case o.Prosody != nil:
		tolerable := m.cfg.UnreachableTolerance > 0 && m.latest.Prosody.Healthy()
		if m.prosodyRefusal.take(o.Prosody, o.Prosody.Health.breaks(), tolerable, m.now) {
			m.latest.Prosody = o.Prosody
			unhealthy = !m.latest.Prosody.Healthy()
		}
	case o.StatusFile != nil:
		m.latest.StatusFile = o.StatusFile
		unhealthy = !m.statusAllows()
	case o.Census != nil:
		m.latest.Census = o.Census
	}
	m.latest.At = m.now
	if unhealthy {
		m.lastUnhealthy = m.now
	}
}

// deadline returns when something changes by itself, zero for never.
func (m *Machine) deadline() time.Time {
	return earlier(m.verdict.Until, m.toleranceEnd())
}

// earlier returns the earlier of two moments, of which a zero one means never.
func earlier(t, u time.Time) time.Time {
	if t.IsZero() || !u.IsZero() && u.Before(t) {
		return u
	}
	return t
}

// passDeadlines lets time pass to a moment, with every deadline on the way, each at its moment. It returns the moment of
// the last one and the changes. A deadline that lies in the past, as a change of the config can bring it, counts as now.
func (m *Machine) passDeadlines(to time.Time) (last time.Time, changes []Change) {
	for {
		at := m.deadline()
		if at.IsZero() || at.After(to) && at.After(m.now) {
			break
		}
		from := m.verdict
		m.moveTo(at)
		m.derive()
		m.endTolerance()
		last, changes = m.now, appendChange(changes, m.now, from, m.verdict)
		if next := m.deadline(); !next.IsZero() && !next.After(m.now) {
			break // in a state that no Machine comes to, but a recording may hold any
		}
	}
	m.moveTo(to)
	return last, changes
}

// moveTo moves the present forward.
func (m *Machine) moveTo(at time.Time) {
	if at.After(m.now) {
		m.now = at
	}
}

func (m *Machine) jicofoWorks() bool {
	return m.latest.Jicofo.Healthy() && m.latest.Jicofo.StatsParsed()
}

func (m *Machine) statusAllows() bool {
	return m.latest.StatusFile.Found && m.latest.StatusFile.Word() != WordUnhealthy
}

// derive brings the episode up to the present and derives the verdict from it and the latest observations.
func (m *Machine) derive() {
	j, p, f := m.latest.Jicofo, m.latest.Prosody, m.latest.StatusFile
	if j == nil || p == nil || f == nil {
		return
	}
	raw := m.jicofoWorks() && p.Healthy() && m.statusAllows()
	v := Verdict{Known: true, Healthy: raw, RawHealthy: raw, Status: m.status()}
	if raw {
		m.dampen(&v)
	} else {
		m.grace(&v)
	}
	m.tolerate(&v)
	v.Weight = m.cfg.weight(v.Status, j)
	v.Incident = m.incident()
	v.Reasons = m.explain(v)
	m.verdict = v
}

// dampen reports a healthy node as unhealthy until the dampening ends.
func (m *Machine) dampen(v *Verdict) {
	m.beenHealthy = true
	m.episode.rawUnhealthy = false
	until := m.lastUnhealthy.Add(m.cfg.HealthDampening)
	if m.episode.reportedDown && m.now.Before(until) {
		v.Healthy, v.Damped, v.Until = false, true, until
		return
	}
	m.episode = episode{}
}

// grace reports an unhealthy node as draining until the drain grace ends.
func (m *Machine) grace(v *Verdict) {
	if !m.episode.open {
		m.episode = episode{open: true, began: m.now}
	}
	if !m.episode.rawUnhealthy {
		m.episode.rawUnhealthy = true
		m.unhealthyRuns++
	}
	until := m.episode.began.Add(m.cfg.DrainGrace)
	if !m.beenHealthy || m.episode.reportedDown || !m.now.Before(until) || !m.graceQualifies() {
		m.episode.reportedDown = true
		return
	}
	v.Healthy, v.Damped, v.Until = true, true, until
	if v.Status != StatusMaint {
		v.Status = StatusDrain
	}
}

// incident names the current episode after the moment it began and the instance that saw it.
func (m *Machine) incident() string {
	if !m.episode.open {
		return ""
	}
	return m.episode.began.UTC().Format("20060102T150405.000Z") + "-" + m.cfg.Instance[:min(len(m.cfg.Instance), 8)]
}

// graceQualifies reports whether what is wrong is covered by the drain grace.
func (m *Machine) graceQualifies() bool {
	if !m.statusAllows() {
		return false
	}
	j, p := m.latest.Jicofo, m.latest.Prosody
	if m.cfg.DrainGraceScope == ScopeSoft {
		return j.SoftDown() && (p.Healthy() || p.SoftDown()) || p.SoftDown() && j.Healthy()
	}
	return !m.jicofoWorks() && p.Healthy() || p.SoftDown() && (j.Healthy() || j.SoftDown())
}

// status is the drain state before mitigation: the file's word, and drain when a ready node is overloaded.
func (m *Machine) status() Status {
	status := m.latest.StatusFile.Word().status()
	if status == StatusReady && m.overParticipantMax() {
		return StatusDrain
	}
	return status
}

func (m *Machine) overParticipantMax() bool {
	participants, _, ok := m.latest.Jicofo.Load()
	return ok && participants > m.cfg.ParticipantMax
}
