package health

import (
	"encoding/json"
	"fmt"
	"time"
)

// checkpoint is the state of a Machine in JSON, without its config.
type checkpoint struct {
	Now         time.Time `json:"now,omitzero"`
	Observation           // the latest value of each part, without a time

	Observed      time.Time          `json:"observed,omitzero"`
	LastUnhealthy time.Time          `json:"last_unhealthy,omitzero"`
	BeenHealthy   bool               `json:"been_healthy,omitempty"`
	UnhealthyRuns int                `json:"unhealthy_runs,omitempty"`
	Episode       *checkpointEpisode `json:"episode,omitempty"`
	Reasons       []Reason           `json:"reasons,omitempty"`

	JicofoRefusal  *checkpointRefusal[Jicofo]  `json:"jicofo_refusal,omitempty"`
	ProsodyRefusal *checkpointRefusal[Prosody] `json:"prosody_refusal,omitempty"`
}

type checkpointRefusal[T any] struct {
	Since time.Time `json:"since"`
	Seen  *T        `json:"seen,omitempty"`
}

func saveRefusal[T any](m *Machine, r refusal[T]) *checkpointRefusal[T] {
	if r.since.IsZero() {
		return nil
	}
	return &checkpointRefusal[T]{m.rebase(r.since), r.seen}
}

func (c *checkpointRefusal[T]) restore() refusal[T] {
	if c == nil {
		return refusal[T]{}
	}
	return refusal[T]{c.Since, c.Seen}
}

type checkpointEpisode struct {
	Began        time.Time `json:"began"`
	RawUnhealthy bool      `json:"raw_unhealthy,omitempty"`
	ReportedDown bool      `json:"reported_down,omitempty"`
}

// MarshalJSON returns the state of the machine without its config. Only monotonic time counts (spec section 3), and
// JSON cannot hold it. MarshalJSON therefore writes each time by its distance from the machine's present, so a jump of
// the wall clock does not change the distances.
func (m *Machine) MarshalJSON() ([]byte, error) {
	c := checkpoint{
		Now: wall(m.now), Observation: m.latest, Observed: m.rebase(m.latest.At), LastUnhealthy: m.rebase(m.lastUnhealthy),
		BeenHealthy: m.beenHealthy, UnhealthyRuns: m.unhealthyRuns,
		JicofoRefusal: saveRefusal(m, m.jicofoRefusal), ProsodyRefusal: saveRefusal(m, m.prosodyRefusal),
	}
	c.At = time.Time{}
	if e := m.episode; e.open {
		c.Episode = &checkpointEpisode{m.rebase(e.began), e.rawUnhealthy, e.reportedDown}
	}
	for _, r := range m.verdict.Reasons {
		r.Since = m.rebase(r.Since)
		c.Reasons = append(c.Reasons, r)
	}
	return json.Marshal(c)
}

// UnmarshalJSON restores a state that MarshalJSON wrote. It does not change the config.
func (m *Machine) UnmarshalJSON(text []byte) error {
	var c checkpoint
	if err := json.Unmarshal(text, &c); err != nil {
		return fmt.Errorf("read a machine's state: %w", err)
	}
	*m = Machine{
		cfg: m.cfg, now: c.Now, latest: c.Observation, lastUnhealthy: c.LastUnhealthy,
		beenHealthy: c.BeenHealthy, unhealthyRuns: c.UnhealthyRuns,
		jicofoRefusal: c.JicofoRefusal.restore(), prosodyRefusal: c.ProsodyRefusal.restore(),
	}
	if e := c.Episode; e != nil {
		m.episode = episode{open: true, began: e.Began, rawUnhealthy: e.RawUnhealthy, reportedDown: e.ReportedDown}
	}
	m.latest.At = c.Observed
	m.verdict.Reasons = c.Reasons // derive takes Since of each reason from here
	if m.derive(); !m.verdict.Known {
		m.verdict = Verdict{}
	}
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
