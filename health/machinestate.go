package health

import (
	"encoding/json"
	"fmt"
	"time"
)

// machineState is the whole state of a Machine in JSON, without its config: what a recording begins with.
type machineState struct {
	Now         time.Time `json:"now,omitzero"`
	Observation           // the latest value of each part, without a time

	Observed      time.Time     `json:"observed,omitzero"`
	LastUnhealthy time.Time     `json:"last_unhealthy,omitzero"`
	BeenHealthy   bool          `json:"been_healthy,omitempty"`
	UnhealthyRuns int           `json:"unhealthy_runs,omitempty"`
	Episode       *episodeState `json:"episode,omitempty"`
	Reasons       []Reason      `json:"reasons,omitempty"`

	JicofoRefusal  *refusalState[Jicofo]  `json:"jicofo_refusal,omitempty"`
	ProsodyRefusal *refusalState[Prosody] `json:"prosody_refusal,omitempty"`

	// From before a restart, until the service is observed again.
	JicofoBefore  *Jicofo  `json:"jicofo_before,omitempty"`
	ProsodyBefore *Prosody `json:"prosody_before,omitempty"`
}

type refusalState[T any] struct {
	Since time.Time `json:"since"`
	Seen  *T        `json:"seen,omitempty"`
}

func saveRefusal[T any](m *Machine, r refusal[T]) *refusalState[T] {
	if r.since.IsZero() {
		return nil
	}
	return &refusalState[T]{m.rebase(r.since), r.seen}
}

func (c *refusalState[T]) restore() refusal[T] {
	if c == nil {
		return refusal[T]{}
	}
	return refusal[T]{c.Since, c.Seen}
}

type episodeState struct {
	Began        time.Time `json:"began"`
	RawUnhealthy bool      `json:"raw_unhealthy,omitempty"`
	ReportedDown bool      `json:"reported_down,omitempty"`
	Incident     string    `json:"incident,omitempty"` // only if it began before a restart
}

// MarshalJSON returns the state of the machine without its config. Only monotonic time counts, and
// JSON cannot hold it. MarshalJSON therefore writes each time by its distance from the machine's present, so a jump of
// the wall clock does not change the distances.
func (m *Machine) MarshalJSON() ([]byte, error) {
	c := machineState{
		Now: wall(m.now), Observation: m.latest, Observed: m.rebase(m.latest.At), LastUnhealthy: m.rebase(m.lastUnhealthy),
		BeenHealthy: m.beenHealthy, UnhealthyRuns: m.unhealthyRuns,
		JicofoRefusal: saveRefusal(m, m.jicofoRefusal), ProsodyRefusal: saveRefusal(m, m.prosodyRefusal),
		JicofoBefore: m.before.jicofo, ProsodyBefore: m.before.prosody,
	}
	c.At = time.Time{}
	if e := m.episode; e.open {
		c.Episode = &episodeState{m.rebase(e.began), e.rawUnhealthy, e.reportedDown, e.incident}
	}
	for _, r := range m.reasons {
		r.Since = m.rebase(r.Since)
		c.Reasons = append(c.Reasons, r)
	}
	return json.Marshal(c)
}

// UnmarshalJSON restores a state that MarshalJSON wrote. It does not change the config.
func (m *Machine) UnmarshalJSON(text []byte) error {
	var c machineState
	if err := json.Unmarshal(text, &c); err != nil {
		return fmt.Errorf("read a machine's state: %w", err)
	}
	*m = Machine{
		cfg: m.cfg, now: c.Now, latest: c.Observation, lastUnhealthy: c.LastUnhealthy,
		beenHealthy: c.BeenHealthy, unhealthyRuns: c.UnhealthyRuns,
		jicofoRefusal: c.JicofoRefusal.restore(), prosodyRefusal: c.ProsodyRefusal.restore(),
		before: before{c.JicofoBefore, c.ProsodyBefore}, reasons: c.Reasons,
	}
	if e := c.Episode; e != nil {
		m.episode = episode{
			open: true, began: e.Began, rawUnhealthy: e.RawUnhealthy, reportedDown: e.ReportedDown, incident: e.Incident,
		}
	}
	m.latest.At = c.Observed
	m.derive()
	return nil
}

// rebase returns a time as the wall clock time that has the same distance from the machine's present.
func (m *Machine) rebase(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return wall(m.now).Add(t.Sub(m.now))
}

// wall returns the time in UTC without its monotonic reading.
func wall(t time.Time) time.Time { return t.Round(0).UTC() }
