package health

import "time"

// Machine derives the verdict from observations and time (spec section 3). It is deterministic, reads no clock and
// starts nothing; it is not safe for concurrent use. A copy of a Machine is an independent Machine.
//
// Time never runs backwards in a Machine: an earlier instant than the latest it has seen counts as that latest one.
// A deadline comes before an observation of the same instant.
type Machine struct {
	cfg Config
	now time.Time

	jicofo     *Jicofo
	prosody    *Prosody
	statusFile *StatusFile
	census     *Census

	jicofoRefusal  refusal[Jicofo]
	prosodyRefusal refusal[Prosody]

	observed      time.Time // when the latest observation was made
	lastUnhealthy time.Time // when a part was last seen unhealthy
	beenHealthy   bool      // whether the node was ever healthy
	unhealthyRuns int       // how often the node turned unhealthy
	episode       episode
	reasons       []Reason // those in force, for their Since
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

// Observe takes in what a collector saw and returns the verdict at that moment.
func (m *Machine) Observe(o Observation) Verdict {
	m.Advance(o.At)
	m.observed = m.now
	unhealthy := false
	switch {
	case o.Jicofo != nil:
		tolerable := m.cfg.UnreachableTolerance > 0 && m.jicofoWorks()
		if m.jicofoRefusal.take(o.Jicofo, o.Jicofo.refused(), tolerable, m.now) {
			m.jicofo = o.Jicofo
			unhealthy = !m.jicofoWorks()
		}
	case o.Prosody != nil:
		tolerable := m.cfg.UnreachableTolerance > 0 && m.prosody.Healthy()
		if m.prosodyRefusal.take(o.Prosody, o.Prosody.Health.breaks(), tolerable, m.now) {
			m.prosody = o.Prosody
			unhealthy = !m.prosody.Healthy()
		}
	case o.StatusFile != nil:
		m.statusFile = o.StatusFile
		unhealthy = !m.statusAllows()
	case o.Census != nil:
		m.census = o.Census
	}
	if unhealthy {
		m.lastUnhealthy = m.now
	}
	return m.settle()
}

// Advance lets time pass and returns the verdict at that moment.
func (m *Machine) Advance(now time.Time) Verdict {
	for m.endTolerance(now) {
	}
	if now.After(m.now) {
		m.now = now
	}
	return m.settle()
}

// Next returns the verdict that v, the current one, turns into at v.Until if nothing is observed before.
func (m *Machine) Next(v Verdict) Verdict {
	future := *m
	return future.Advance(v.Until)
}

func (m *Machine) jicofoWorks() bool { return m.jicofo.Healthy() && m.jicofo.StatsParsed() }

func (m *Machine) statusAllows() bool {
	return m.statusFile.Found && m.statusFile.Word() != WordUnhealthy
}

// settle brings the episode up to the current instant and derives the verdict.
func (m *Machine) settle() Verdict {
	if m.jicofo == nil || m.prosody == nil || m.statusFile == nil {
		return Verdict{}
	}
	raw := m.jicofoWorks() && m.prosody.Healthy() && m.statusAllows()
	v := Verdict{Known: true, Healthy: raw, RawHealthy: raw, Status: m.status()}
	if raw {
		m.settleHealthy(&v)
	} else {
		m.settleUnhealthy(&v)
	}
	m.tolerate(&v)
	v.Weight = m.cfg.weight(v.Status, m.jicofo)
	v.Incident = m.incident()
	v.Reasons = m.explain(v)
	return v
}

// settleHealthy applies the dampening.
func (m *Machine) settleHealthy(v *Verdict) {
	m.beenHealthy = true
	m.episode.rawUnhealthy = false
	until := m.lastUnhealthy.Add(m.cfg.HealthDampening)
	if m.episode.reportedDown && m.now.Before(until) {
		v.Healthy, v.Damped, v.Until = false, true, until
		return
	}
	m.episode = episode{}
}

// settleUnhealthy applies the drain grace.
func (m *Machine) settleUnhealthy(v *Verdict) {
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
	j, p := m.jicofo, m.prosody
	if m.cfg.DrainGraceScope == ScopeSoft {
		return j.SoftDown() && (p.Healthy() || p.SoftDown()) || p.SoftDown() && j.Healthy()
	}
	return !m.jicofoWorks() && p.Healthy() || p.SoftDown() && (j.Healthy() || j.SoftDown())
}

// status is the drain state before mitigation: the file's word, and drain when a ready node is overloaded.
func (m *Machine) status() Status {
	status := m.statusFile.Word().status()
	if status == StatusReady && m.overParticipantMax() {
		return StatusDrain
	}
	return status
}

func (m *Machine) overParticipantMax() bool {
	participants, _, ok := m.jicofo.Load()
	return ok && participants > m.cfg.ParticipantMax
}
