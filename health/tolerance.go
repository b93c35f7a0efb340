package health

import (
	"fmt"
	"time"
)

// Tolerated is a service that was healthy and has refused or reset connections for less than UNREACHABLE_TOLERANCE. Its
// last observation before that still counts.
type Tolerated struct {
	// Service is jicofo or prosody.
	Service string
	// Text describes what was observed.
	Text string
	// Since is the time of the first refused connection. Until is the time from which the failure counts.
	Since, Until time.Time
}

// Services lists the services that UNREACHABLE_TOLERANCE applies to.
var Services = []string{serviceJicofo, serviceProsody}

// The names of the services. Their collectors have the same names.
const (
	serviceJicofo  = "jicofo"
	serviceProsody = "prosody"
)

// refusal is the state of a service that was healthy and refuses or resets connections. The zero value means that it
// does not.
type refusal[T any] struct {
	since time.Time // the first failure, zero without one
	seen  *T        // the latest observation, which does not count yet; nil once it counts
}

// take reports whether the observation counts now. If it does not, take keeps it until the tolerance ends.
func (r *refusal[T]) take(seen *T, refused, tolerable bool, now time.Time) (counts bool) {
	switch {
	case !refused:
		*r = refusal[T]{}
		return true
	case r.since.IsZero() && tolerable:
		r.since, r.seen = now, seen
		return false
	case r.seen != nil:
		r.seen = seen
		return false
	default:
		return true
	}
}

// pending reports whether an observation does not count yet.
func (r *refusal[T]) pending() bool { return r.seen != nil }

// first adds the time of the first failure to a reason's text once the tolerance has ended.
func (r *refusal[T]) first(text string) string {
	if r.since.IsZero() || r.seen != nil {
		return text
	}
	return fmt.Sprintf("%s (first at %s)", text, r.since.UTC().Format("15:04:05.000Z"))
}

// breaks reports whether the service refused or reset the connection.
func (a Answer) breaks() bool { return a.Failure == FailureRefused || a.Failure == FailureReset }

// refused reports whether refused or reset connections are the only failure of jicofo.
func (j *Jicofo) refused() bool {
	health, stats := j.Health.breaks(), j.Stats.breaks()
	return (health || stats) && (health || j.Health.OK()) && (stats || j.StatsParsed())
}

// end returns the pending observation, which counts from now on.
func (r *refusal[T]) end() *T {
	seen := r.seen
	r.seen = nil
	return seen
}

// toleranceEnd returns the time when the first tolerance ends, zero if nothing is tolerated.
func (m *Machine) toleranceEnd() time.Time {
	var end time.Time
	if m.jicofoRefusal.pending() {
		end = m.jicofoRefusal.since.Add(m.cfg.UnreachableTolerance)
	}
	if m.prosodyRefusal.pending() {
		end = earlier(end, m.prosodyRefusal.since.Add(m.cfg.UnreachableTolerance))
	}
	return end
}

// endTolerance makes the observations count whose tolerance ends now: the episode begins now. If both tolerances end
// now, jicofo's ends first. Other deadlines of this time have already passed.
func (m *Machine) endTolerance() {
	ends := func(since time.Time) bool { return !since.Add(m.cfg.UnreachableTolerance).After(m.now) }
	if m.jicofoRefusal.pending() && ends(m.jicofoRefusal.since) {
		m.latest.Jicofo, m.lastUnhealthy = m.jicofoRefusal.end(), m.now
		m.derive()
	}
	if m.prosodyRefusal.pending() && ends(m.prosodyRefusal.since) {
		m.latest.Prosody, m.lastUnhealthy = m.prosodyRefusal.end(), m.now
		m.derive()
	}
}

// tolerate adds what is tolerated to the verdict, and limits Until to the end of the first tolerance.
func (m *Machine) tolerate(v *Verdict) {
	add := func(service, text string, since time.Time) {
		v.Tolerated = append(v.Tolerated, Tolerated{service, OneLine(text), since, since.Add(m.cfg.UnreachableTolerance)})
	}
	if m.jicofoRefusal.pending() {
		reason, _ := jicofoReason(m.jicofoRefusal.seen)
		add(serviceJicofo, reason.Text, m.jicofoRefusal.since)
	}
	if m.prosodyRefusal.pending() {
		reason, _ := prosodyReason(m.prosodyRefusal.seen)
		add(serviceProsody, reason.Text, m.prosodyRefusal.since)
	}
	v.Until = earlier(v.Until, m.toleranceEnd())
}

// Tolerates reports whether the service is tolerated.
func (s *Snapshot) Tolerates(service string) bool {
	return service == serviceJicofo && s.machine.jicofoRefusal.pending() ||
		service == serviceProsody && s.machine.prosodyRefusal.pending()
}
