// Package recording writes every observation and every change of the verdict to a file. It reads such files and replays
// them through the rules.
package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// A recording is JSON Lines. A run begins with a header: the format, the wall clock time of its start, the config, and
// the state of the machine unless it had no observations. Each later line holds t, the monotonic time since the start
// in nanoseconds, and an observation or a new verdict. A file may hold several runs.
const format = "signal-sidecar/1"

// MaxLine is the longest line of a recording in bytes, with its line end.
const MaxLine = 1 << 20

// line is any line of a recording.
type line struct {
	Recording string              `json:"recording,omitempty"`
	Start     *time.Time          `json:"start,omitempty"`
	Config    *recordedConfig     `json:"config,omitempty"`
	Machine   json.RawMessage     `json:"machine,omitempty"`
	T         *time.Duration      `json:"t,omitempty"`
	Observed  *health.Observation `json:"observation,omitempty"`
	Verdict   *recordedVerdict    `json:"verdict,omitempty"`
}

// recordedVerdict is a verdict in a recording. Until is a time since the start, as t is.
type recordedVerdict struct {
	Agent    string        `json:"agent"`
	Status   health.Status `json:"status"`
	Damped   bool          `json:"damped,omitempty"`
	Incident string        `json:"incident,omitempty"`
	Reasons  []health.Code `json:"reasons,omitempty"`
	Until    time.Duration `json:"until,omitempty"`
}

// recordedConfig is a Config whose keys are the names of the settings.
type recordedConfig struct {
	ParticipantMax     float64           `json:"PARTICIPANT_MAX"`
	WeightParticipants bool              `json:"WEIGHT_PARTICIPANTS"`
	HealthDampening    recordedInterval  `json:"HEALTH_DAMPENING_INTERVAL"`
	DrainGrace         recordedInterval  `json:"DRAIN_GRACE_INTERVAL"`
	DrainGraceScope    health.GraceScope `json:"DRAIN_GRACE_SCOPE"`
	Tolerance          recordedInterval  `json:"UNREACHABLE_TOLERANCE,omitzero"`
	Census             bool              `json:"CENSUS_POLL"`
	Instance           string            `json:"instance,omitempty"`
}

// recordedInterval is encoded as a Go duration, such as 2m0s.
type recordedInterval time.Duration

func (d recordedInterval) MarshalText() ([]byte, error) {
	return []byte(time.Duration(d).String()), nil
}

func (d *recordedInterval) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err == nil && parsed < 0 {
		err = fmt.Errorf("negative interval %s", parsed)
	}
	*d = recordedInterval(parsed)
	return err
}

func recordConfig(c health.Config) *recordedConfig {
	return &recordedConfig{
		c.ParticipantMax, c.WeightParticipants, recordedInterval(c.HealthDampening), recordedInterval(c.DrainGrace),
		c.DrainGraceScope, recordedInterval(c.UnreachableTolerance), c.Census, c.Instance,
	}
}

// config returns the recorded config, or an error if no sidecar accepts such a config.
func (r recordedConfig) config() (health.Config, error) {
	if r.ParticipantMax <= 0 {
		return health.Config{}, fmt.Errorf("PARTICIPANT_MAX is %v", r.ParticipantMax)
	}
	if r.DrainGraceScope != health.ScopeJicofo && r.DrainGraceScope != health.ScopeSoft {
		return health.Config{}, fmt.Errorf("DRAIN_GRACE_SCOPE is %.40q", r.DrainGraceScope)
	}
	return health.Config{
		ParticipantMax: r.ParticipantMax, WeightParticipants: r.WeightParticipants,
		HealthDampening: time.Duration(r.HealthDampening), DrainGrace: time.Duration(r.DrainGrace),
		DrainGraceScope: r.DrainGraceScope, UnreachableTolerance: time.Duration(r.Tolerance),
		Census: r.Census, Instance: r.Instance,
	}, nil
}

// Encoder encodes steps as lines of a recording. It is not safe for concurrent use.
type Encoder struct{ start time.Time }

// Header returns the header line of a new run. The run consists of this step and the steps that follow it without a
// gap.
func (e *Encoder) Header(s health.Step) ([]byte, error) {
	before := s.Before()
	header := line{Recording: format, Config: recordConfig(before.Config())}
	e.start = s.At
	if now := before.Now(); !now.IsZero() {
		e.start = now
		state, err := before.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("record the machine: %w", err)
		}
		header.Machine = state
	}
	start := wall(e.start)
	header.Start = &start
	return encode(header)
}

// Lines returns the lines of a step: the observation, if there is one, and each change. A deadline that passed before
// the observation comes before it.
func (e *Encoder) Lines(s health.Step) ([]byte, error) {
	var lines []line
	for _, c := range s.Changes {
		lines = append(lines, line{T: e.since(c.At), Verdict: e.verdict(c.To)})
	}
	if s.Observed() {
		o := s.Observation
		o.At = wall(o.At)
		lines = append(lines, line{T: e.since(s.At), Observed: &o})
		if last := len(lines) - 1; last > 0 && s.Changes[last-1].At.Equal(s.At) {
			lines[last], lines[last-1] = lines[last-1], lines[last]
		}
	}
	var text []byte
	for _, l := range lines {
		encoded, err := encode(l)
		if err != nil {
			return nil, err
		}
		text = append(text, encoded...)
	}
	return text, nil
}

func (e *Encoder) since(at time.Time) *time.Duration {
	t := at.Sub(e.start)
	return &t
}

func (e *Encoder) verdict(v health.Verdict) *recordedVerdict {
	r := &recordedVerdict{
		Agent: v.AgentLine(), Status: v.Status, Damped: v.Damped, Incident: v.Incident, Reasons: v.Codes(),
	}
	if !v.Until.IsZero() {
		r.Until = v.Until.Sub(e.start)
	}
	return r
}

func encode(l line) ([]byte, error) {
	text, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encode a line of the recording: %w", err)
	}
	if len(text) >= MaxLine {
		return nil, errors.New("a line of the recording would be too long")
	}
	return append(text, '\n'), nil
}

// wall returns the time in UTC without its monotonic reading.
func wall(t time.Time) time.Time { return t.Round(0).UTC() }
