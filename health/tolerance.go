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

// ends returns when the tolerance ends; false when nothing is tolerated.
func (r *refusal[T]) ends(tolerance time.Duration) (time.Time, bool) {
	return r.since.Add(tolerance), r.seen != nil
}

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

// endTolerance lets the observation of a service count whose tolerance has ended by now. It moves the machine to that
// moment: the episode begins then. It reports whether there was one; of two that end together, jicofo's is the first.
func (m *Machine) endTolerance(now time.Time) bool {
	jicofo, prosody := m.jicofoRefusal.seen != nil, m.prosodyRefusal.seen != nil
	at, _ := m.jicofoRefusal.ends(m.cfg.UnreachableTolerance)
	if p, _ := m.prosodyRefusal.ends(m.cfg.UnreachableTolerance); prosody && (!jicofo || p.Before(at)) {
		at, jicofo = p, false
	}
	if !jicofo && !prosody || at.After(now) {
		return false
	}
	if at.After(m.now) { // else a replay shortened the tolerance
		m.now = at
	}
	m.settle() // what ends at the same moment ends before
	if jicofo {
		m.jicofo, m.jicofoRefusal.seen = m.jicofoRefusal.seen, nil
	} else {
		m.prosody, m.prosodyRefusal.seen = m.prosodyRefusal.seen, nil
	}
	m.lastUnhealthy = m.now
	m.settle()
	return true
}

// tolerate lists what is tolerated, in the verdict, and lets the verdict change when that ends.
func (m *Machine) tolerate(v *Verdict) {
	add := func(service, text string, since, until time.Time, tolerated bool) {
		if !tolerated {
			return
		}
		v.Tolerated = append(v.Tolerated, Tolerated{service, OneLine(text), since, until})
		if v.Until.IsZero() || until.Before(v.Until) {
			v.Until = until
		}
	}
	until, tolerated := m.jicofoRefusal.ends(m.cfg.UnreachableTolerance)
	reason, _ := jicofoReason(m.jicofoRefusal.seen)
	add(serviceJicofo, reason.Text, m.jicofoRefusal.since, until, tolerated)
	until, tolerated = m.prosodyRefusal.ends(m.cfg.UnreachableTolerance)
	reason, _ = prosodyReason(m.prosodyRefusal.seen)
	add(serviceProsody, reason.Text, m.prosodyRefusal.since, until, tolerated)
}

// Tolerates reports whether the service is tolerated.
func (s *Snapshot) Tolerates(service string) bool {
	return service == serviceJicofo && s.machine.jicofoRefusal.seen != nil ||
		service == serviceProsody && s.machine.prosodyRefusal.seen != nil
}
