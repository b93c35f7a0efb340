package health

import (
	"fmt"
	"time"
)

// Tolerated is a service that was healthy and refuses or resets connections, for less than UNREACHABLE_TOLERANCE: its last
// observation before that still counts.
type Tolerated struct {
	// Service is jicofo or prosody.
	Service string
	// Text says what was seen.
	Text string
	// Since is when it was first seen, Until when it counts.
	Since, Until time.Time
}

// Services are those that UNREACHABLE_TOLERANCE is for.
var Services = []string{serviceJicofo, serviceProsody}

// The names of services, which are those of their collectors too.
const (
	serviceJicofo  = "jicofo"
	serviceProsody = "prosody"
)

// refusal is a service that was healthy and refuses or resets connections. The zero value is one that does not.
type refusal[T any] struct {
	since time.Time // the first failure, zero without one
	seen  *T        // the latest observation, which does not count yet; nil once it does
}

// take decides about an observation. It reports whether it counts now; if not, it is kept until the tolerance ends.
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

// pending reports whether there is an observation that does not count yet.
func (r *refusal[T]) pending() bool { return r.seen != nil }

// first adds the time of the first failure to a reason's text, once the tolerance is over.
func (r *refusal[T]) first(text string) string {
	if r.since.IsZero() || r.seen != nil {
		return text
	}
	return fmt.Sprintf("%s (first at %s)", text, r.since.UTC().Format("15:04:05.000Z"))
}

// breaks reports whether the service refused or reset the connection.
func (a Answer) breaks() bool { return a.Failure == FailureRefused || a.Failure == FailureReset }

// refused reports whether nothing is wrong with jicofo but that it refuses or resets connections.
func (j *Jicofo) refused() bool {
	health, stats := j.Health.breaks(), j.Stats.breaks()
	return (health || stats) && (health || j.Health.OK()) && (stats || j.StatsParsed())
}

// end lets the pending observation count.
func (r *refusal[T]) end() *T {
	seen := r.seen
	r.seen = nil
	return seen
}

// toleranceEnd returns when the first tolerance ends, zero when nothing is tolerated.
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

// endTolerance lets the observations count whose tolerance ends now: the episode begins now. Of two that end together,
// jicofo's is the first. What else ends now has ended before.
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

// tolerate lists what is tolerated, in the verdict, and lets the verdict change when that ends.
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
