package health

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
)

// Checkpoint is what a Machine must keep over a restart of the process, so that flap mitigation and
// UNREACHABLE_TOLERANCE go on as if there had been no restart. Times are ages at the time of the
// checkpoint, because monotonic times have no meaning in another process. A Checkpoint must not be changed.
type Checkpoint struct {
	// BeenHealthy reports whether the node has ever been healthy.
	BeenHealthy bool `json:"been_healthy"`
	// Unhealthy is the age of the last unhealthy observation, nil if there was none.
	Unhealthy *time.Duration `json:"unhealthy_age,omitempty"`
	// Episode is nil while the node is healthy without mitigation.
	Episode *EpisodeCheckpoint `json:"episode,omitempty"`
	Reasons []ReasonCheckpoint `json:"reasons,omitempty"`
	// AgentLine is the last agent reply, without its line end. It is only for people: no reply is made from it.
	AgentLine string `json:"agent_line,omitempty"`

	// The services are kept only with UNREACHABLE_TOLERANCE.
	Jicofo  ServiceCheckpoint[Jicofo]  `json:"jicofo,omitzero"`
	Prosody ServiceCheckpoint[Prosody] `json:"prosody,omitzero"`
}

// EpisodeCheckpoint is an episode in a Checkpoint.
type EpisodeCheckpoint struct {
	Began        time.Duration `json:"began_age"`
	Incident     string        `json:"incident"`
	RawUnhealthy bool          `json:"raw_unhealthy"`
	ReportedDown bool          `json:"reported_down"`
}

// ReasonCheckpoint is the age of a reason in a Checkpoint.
type ReasonCheckpoint struct {
	Code  Code          `json:"code"`
	Since time.Duration `json:"since_age"`
}

// ServiceCheckpoint is a service in a Checkpoint.
type ServiceCheckpoint[T any] struct {
	// Good is the observation that counts, if it is healthy.
	Good *T `json:"good,omitempty"`
	// Refused is the age of the first refused connection, nil while the service does not refuse connections.
	Refused *time.Duration `json:"refused_age,omitempty"`
}

// before is what counts for UNREACHABLE_TOLERANCE from before a restart, until the service is observed again.
type before struct {
	jicofo  *Jicofo // the last observation that counted, nil if it was unhealthy
	prosody *Prosody
}

// Checkpoint returns the checkpoint of the machine. Its ages are those at now, which must not be before Now.
func (m *Machine) Checkpoint(now time.Time) Checkpoint {
	age := func(t time.Time) *time.Duration {
		if t.IsZero() {
			return nil
		}
		return new(now.Sub(t))
	}
	c := Checkpoint{BeenHealthy: m.beenHealthy, Unhealthy: age(m.lastUnhealthy)}
	if m.verdict.Known {
		c.AgentLine = m.verdict.AgentLine()
	}
	if e := m.episode; e.open {
		c.Episode = &EpisodeCheckpoint{now.Sub(e.began), m.incident(), e.rawUnhealthy, e.reportedDown}
	}
	for _, r := range m.reasons {
		c.Reasons = append(c.Reasons, ReasonCheckpoint{r.Code, now.Sub(r.Since)})
	}
	if m.cfg.UnreachableTolerance > 0 {
		c.Jicofo = ServiceCheckpoint[Jicofo]{m.before.jicofo, age(m.jicofoRefusal.since)}
		c.Prosody = ServiceCheckpoint[Prosody]{m.before.prosody, age(m.prosodyRefusal.since)}
		if m.jicofoWorks() {
			c.Jicofo.Good = m.latest.Jicofo.bounded()
		}
		if m.latest.Prosody.Healthy() {
			c.Prosody.Good = m.latest.Prosody.bounded()
		}
	}
	return c
}

// Checkpoint returns the checkpoint of the machine at the time of the snapshot, with the ages at now.
func (s *Snapshot) Checkpoint(now time.Time) Checkpoint { return s.machine.Checkpoint(now) }

// Restore continues from a checkpoint that is of this age at now. The machine must not have observed anything. It has
// no verdict until jicofo, prosody and the status file have been observed: the process may have been away for a while,
// and nothing is known about that time. The checkpoint must be valid: see Checkpoint.Validate.
func (m *Machine) Restore(c Checkpoint, age time.Duration, now time.Time) {
	taken := now.Add(-age)
	at := func(age *time.Duration) time.Time {
		if age == nil {
			return time.Time{}
		}
		return taken.Add(-*age)
	}
	*m = Machine{
		cfg: m.cfg, now: now, beenHealthy: c.BeenHealthy, lastUnhealthy: at(c.Unhealthy),
		jicofoRefusal:  refusal[Jicofo]{since: at(c.Jicofo.Refused)},
		prosodyRefusal: refusal[Prosody]{since: at(c.Prosody.Refused)},
		before:         before{c.Jicofo.Good, c.Prosody.Good},
	}
	if e := c.Episode; e != nil {
		m.episode = episode{
			open: true, began: at(&e.Began), rawUnhealthy: e.RawUnhealthy, reportedDown: e.ReportedDown, incident: e.Incident,
		}
	}
	for _, r := range c.Reasons {
		m.reasons = append(m.reasons, Reason{Code: r.Code, Since: at(&r.Since)})
	}
}

// The bounds of the texts of a valid checkpoint, in bytes.
const (
	maxIncident  = 64
	maxAgentLine = 64
)

// Validate returns an error if no machine makes such a checkpoint. No age may be above longest.
func (c Checkpoint) Validate(longest time.Duration) error {
	ages := []*time.Duration{c.Unhealthy, c.Jicofo.Refused, c.Prosody.Refused}
	incident := ""
	if c.Episode != nil {
		ages, incident = append(ages, &c.Episode.Began), c.Episode.Incident
	}
	for i, r := range c.Reasons {
		if !slices.Contains(Codes, r.Code) {
			return fmt.Errorf("%.40q is no reason", r.Code)
		}
		if slices.ContainsFunc(c.Reasons[:i], func(other ReasonCheckpoint) bool { return other.Code == r.Code }) {
			return fmt.Errorf("reason %s occurs twice", r.Code)
		}
		ages = append(ages, &r.Since)
	}
	for _, age := range ages {
		if age != nil && (*age < 0 || *age > longest) {
			return fmt.Errorf("an age of %s", *age)
		}
	}
	if !printable(incident, maxIncident) || !printable(c.AgentLine, maxAgentLine) {
		return errors.New("an incident or agent line that is too long or not printable")
	}
	if j := c.Jicofo.Good; j != nil && (!j.Healthy() || !j.StatsParsed()) {
		return errors.New("a good observation of jicofo that is unhealthy")
	}
	if p := c.Prosody.Good; p != nil && !p.Healthy() {
		return errors.New("a good observation of prosody that is unhealthy")
	}
	return nil
}

func printable(text string, limit int) bool {
	return len(text) <= limit && !slices.ContainsFunc([]rune(text), func(r rune) bool { return !unicode.IsPrint(r) })
}

// recallJicofo lets the last good observation from before a restart count if it is still tolerated that jicofo refuses
// connections.
func (m *Machine) recallJicofo(seen *Jicofo) {
	recall(&m.latest.Jicofo, &m.before.jicofo, &m.jicofoRefusal, seen, m.now, m.cfg)
}

// recallProsody is recallJicofo for prosody.
func (m *Machine) recallProsody(seen *Prosody) {
	recall(&m.latest.Prosody, &m.before.prosody, &m.prosodyRefusal, seen, m.now, m.cfg)
}

// recall makes the observation from before a restart the latest. If the service refused connections and its tolerance
// has not ended, the tolerance goes on.
func recall[T any](latest, before **T, r *refusal[T], seen *T, now time.Time, cfg Config) {
	if *before == nil {
		return
	}
	*latest, *before = *before, nil
	if !r.since.IsZero() && now.Before(r.since.Add(cfg.UnreachableTolerance)) {
		r.seen = seen
	}
}
