package health

import "time"

// Machine derives the verdict from observations and time. It is deterministic: it reads no clock and
// starts no goroutine or timer. It is not safe for concurrent use. A copy of a Machine is independent of the original.
//
// Time never runs backwards in a Machine: a time before the latest one that it has seen counts as the latest one. A
// deadline comes before an observation at the same time.
type Machine struct {
	cfg     Config
	now     time.Time
	verdict Verdict // at now
	latest  Observation
	reasons []Reason // of the last verdict, which may be from before a restart
	before  before

	jicofoRefusal  refusal[Jicofo]
	prosodyRefusal refusal[Prosody]

	lastUnhealthy time.Time // when a part was last observed unhealthy
	beenHealthy   bool      // whether the node has ever been healthy
	unhealthyRuns int       // how often the node has turned unhealthy
	episode       episode
}

// An episode begins when the node turns unhealthy, and ends when it is reported healthy without mitigation again. If
// the node fails again while its recovery is dampened, the episode continues. An episode that was reported unhealthy
// gets no grace any more. Otherwise another failure could bring up a node that is down.
type episode struct {
	open         bool
	rawUnhealthy bool // the node is unhealthy now
	began        time.Time
	reportedDown bool   // the node was reported unhealthy during the episode
	incident     string // its id if it began before a restart, else ""
}

// NewMachine returns a Machine without observations. It uses the config as it is: see Config.Normalize.
func NewMachine(cfg Config) *Machine { return &Machine{cfg: cfg} }

// Config returns the config in force.
func (m *Machine) Config() Config { return m.cfg }

// Now returns the latest time that the Machine has seen, zero before the first.
func (m *Machine) Now() time.Time { return m.now }

// Verdict returns the verdict at Now.
func (m *Machine) Verdict() Verdict { return m.verdict }

// WithConfig returns a copy with another config. Its verdict is the one that follows from that config at Now.
func (m *Machine) WithConfig(cfg Config) *Machine {
	changed := *m
	changed.cfg = cfg
	changed.derive()
	changed.passDeadlines(changed.now)
	return &changed
}

// Observe passes the deadlines up to o.At, each at its own time, and then takes in the observation.
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

// Advance moves the time forward to now and passes each deadline on the way at its own time. It returns false when no
// deadline passed; then nothing changed.
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

// Next returns the verdict that holds from Verdict.Until on if nothing is observed before. It returns false when the
// verdict will not change by itself.
func (m *Machine) Next() (Verdict, bool) {
	if m.verdict.Until.IsZero() {
		return Verdict{}, false
	}
	future := *m
	future.passDeadlines(m.verdict.Until)
	return future.verdict, true
}

// take stores the observed part as the latest, unless the tolerance applies to it.
func (m *Machine) take(o Observation) {
	unhealthy := false
	switch {
	case o.Jicofo != nil:
		m.recallJicofo(o.Jicofo)
		tolerable := m.cfg.UnreachableTolerance > 0 && m.jicofoWorks()
		if m.jicofoRefusal.take(o.Jicofo, o.Jicofo.refused(), tolerable, m.now) {
			m.latest.Jicofo = o.Jicofo
			unhealthy = !m.jicofoWorks()
		}
	case o.Prosody != nil:
		m.recallProsody(o.Prosody)
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

// deadline returns the time of the next change without an observation, zero if there is none.
func (m *Machine) deadline() time.Time {
	return earlier(m.verdict.Until, m.toleranceEnd())
}

// earlier returns the earlier of two times. A zero time means never.
func earlier(t, u time.Time) time.Time {
	if t.IsZero() || !u.IsZero() && u.Before(t) {
		return u
	}
	return t
}

// passDeadlines moves the time forward and passes each deadline on the way at its own time. It returns the time of the
// last one and the changes. A deadline in the past, which a changed config can cause, counts as now.
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
			break // no Machine reaches this state, but a recording may contain it
		}
	}
	m.moveTo(to)
	return last, changes
}

// moveTo moves the present forward. It never moves it back.
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

// derive updates the episode, and derives the verdict from it and from the latest observations.
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
	m.verdict, m.reasons = v, v.Reasons
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

// incident returns the id of the current episode: the time when it began, and the instance.
func (m *Machine) incident() string {
	if !m.episode.open {
		return ""
	}
	if m.episode.incident != "" {
		return m.episode.incident
	}
	return m.episode.began.UTC().Format("20060102T150405.000Z") + "-" + m.cfg.Instance[:min(len(m.cfg.Instance), 8)]
}

// graceQualifies reports whether the drain grace covers the present failures.
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

// status returns the drain state before mitigation: the word in the status file, or drain if a ready node is
// overloaded.
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
