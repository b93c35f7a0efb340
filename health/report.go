package health

import "time"

// Report is the reply of /signal/report. Deployment scripts and dashboards read these keys, so no
// key may be renamed or change its meaning; new values get new keys.
type Report struct {
	Time         *Time          `json:"time"`
	Healthy      bool           `json:"healthy"`
	HealthDamped bool           `json:"healthdamped"`
	Status       Status         `json:"status"`
	Weight       string         `json:"weight"`
	AgentMessage string         `json:"agentmessage"`
	Services     ReportServices `json:"services"`
	Statuses     ReportStatuses `json:"statuses"`
	Stats        ReportStats    `json:"stats"`
}

// ReportServices holds the results of the probes. A status code is 0 without an HTTP answer.
type ReportServices struct {
	JicofoHealthy        bool   `json:"jicofoHealthy"`
	JicofoReachable      bool   `json:"jicofoReachable"`
	JicofoSoftDown       bool   `json:"jicofoSoftDown"`
	JicofoStatusCode     int    `json:"jicofoStatusCode"`
	JicofoStatusContents string `json:"jicofoStatusContents"`
	JicofoStatsReachable bool   `json:"jicofoStatsReachable"`
	JicofoStatsCode      int    `json:"jicofoStatsStatusCode"`
	// JicofoStatusStatusCode is the original README's spelling of jicofoStatsStatusCode.
	JicofoStatusStatusCode int  `json:"jicofoStatusStatusCode"`
	ProsodyHealthy         bool `json:"prosodyHealthy"`
	ProsodyReachable       bool `json:"prosodyReachable"`
	ProsodySoftDown        bool `json:"prosodySoftDown"`
	ProsodyStatusCode      int  `json:"prosodyStatusCode"`
}

// ReportStatuses is the content of the status file.
type ReportStatuses struct {
	StatusFileFound    bool   `json:"statusFileFound"`
	StatusFileContents string `json:"statusFileContents"`
}

// ReportStats holds the numbers; null for a number that is not known.
type ReportStats struct {
	JicofoParticipants *float64 `json:"jicofoParticipants"`
	JicofoConferences  *float64 `json:"jicofoConferences"`
	*ReportCensusStats          // only when the census is polled
}

// ReportCensusStats holds the sums over the census; null if the last poll of the census failed.
type ReportCensusStats struct {
	ProsodyParticipants           *float64 `json:"prosodyParticipants"`
	ProsodySumSquaredParticipants *float64 `json:"prosodySumSquaredParticipants"`
}

// Time is a time that is encoded in UTC with milliseconds (RFC 3339).
type Time time.Time

// MarshalText implements encoding.TextMarshaler.
func (t Time) MarshalText() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z07:00"), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Time) UnmarshalText(text []byte) error { return (*time.Time)(t).UnmarshalText(text) }

// Report returns the report of the snapshot. Before the first verdict it is unhealthy, unknown, and has no agent
// message.
func (s *Snapshot) Report() Report {
	v := s.Verdict
	r := Report{
		Healthy: v.Healthy, HealthDamped: v.Damped, Status: v.Status,
		Weight: v.WeightText(), AgentMessage: s.machine.reply(v),
	}
	if !v.Known {
		r.Status = StatusUnknown
	}
	if !s.At.IsZero() {
		r.Time = new(Time(s.At))
	}
	s.reportJicofo(&r)
	if p := s.Prosody; p != nil {
		r.Services.ProsodyHealthy, r.Services.ProsodyReachable = p.Healthy(), p.Health.Reachable()
		r.Services.ProsodySoftDown, r.Services.ProsodyStatusCode = p.SoftDown(), p.Health.Code
	}
	if f := s.StatusFile; f != nil {
		r.Statuses = ReportStatuses{StatusFileFound: f.Found, StatusFileContents: f.Contents}
	}
	if s.machine.cfg.Census {
		r.Stats.ReportCensusStats = new(ReportCensusStats)
	}
	if c := s.Census; c.OK() {
		r.Stats.ReportCensusStats = &ReportCensusStats{&c.Participants, &c.SumSquared}
	}
	return r
}

func (s *Snapshot) reportJicofo(r *Report) {
	j := s.Jicofo
	if j == nil {
		return
	}
	v := &r.Services
	v.JicofoHealthy, v.JicofoSoftDown = j.Healthy(), j.SoftDown()
	v.JicofoReachable, v.JicofoStatusCode, v.JicofoStatusContents = j.Health.Reachable(), j.Health.Code, j.Contents
	v.JicofoStatsReachable, v.JicofoStatsCode, v.JicofoStatusStatusCode = j.Stats.Reachable(), j.Stats.Code, j.Stats.Code
	if participants, conferences, ok := j.Load(); ok {
		r.Stats.JicofoParticipants, r.Stats.JicofoConferences = &participants, &conferences
	}
}
