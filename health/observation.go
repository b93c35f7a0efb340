package health

import (
	"encoding/json"
	"time"
)

// Observation is what one collector saw at one moment. Exactly one of its four parts is set, and a part
// never changes once it has been handed on.
type Observation struct {
	// At is the moment at which the answer (or its absence) was known.
	At time.Time `json:"at,omitzero"`
	// Trigger is what made the collector look.
	Trigger Trigger `json:"trigger,omitempty"`

	Jicofo     *Jicofo     `json:"jicofo,omitempty"`
	Prosody    *Prosody    `json:"prosody,omitempty"`
	StatusFile *StatusFile `json:"status_file,omitempty"`
	Census     *Census     `json:"census,omitempty"`
}

// Probe names a probe. Names are metric labels and keys of /signal/history.
type Probe string

// Every probe there is.
const (
	ProbeJicofoHealth Probe = "jicofo_health"
	ProbeJicofoStats  Probe = "jicofo_stats"
	ProbeProsody      Probe = "prosody"
	ProbeCensus       Probe = "census"
	ProbeStatusFile   Probe = "status_file"
)

// Probes lists every probe, in the order in which they are shown.
var Probes = [...]Probe{ProbeJicofoHealth, ProbeJicofoStats, ProbeProsody, ProbeCensus, ProbeStatusFile}

// Parts returns how many of the four parts are set.
func (o Observation) Parts() int {
	n := 0
	for _, set := range []bool{o.Jicofo != nil, o.Prosody != nil, o.StatusFile != nil, o.Census != nil} {
		if set {
			n++
		}
	}
	return n
}

// Results returns what each probe found whose part is set, in the order of Probes.
func (o Observation) Results() []Result {
	var results []Result
	if j := o.Jicofo; j != nil {
		results = append(results, j.Health.result(ProbeJicofoHealth, ""), j.Stats.result(ProbeJicofoStats, j.StatsProblem))
	}
	if p := o.Prosody; p != nil {
		results = append(results, p.Health.result(ProbeProsody, ""))
	}
	if c := o.Census; c != nil {
		results = append(results, c.Answer.result(ProbeCensus, c.Problem))
	}
	if f := o.StatusFile; f != nil {
		results = append(results, f.result())
	}
	return results
}

// Failed reports whether any probe of the observation failed.
func (o Observation) Failed() bool {
	for _, r := range o.Results() {
		if r.Failed() {
			return true
		}
	}
	return false
}

// Bounded returns the observation as it is kept and recorded: without the rooms of the census (up to 32 MiB) and with
// long texts cut. Nothing that a verdict depends on is left out.
func (o Observation) Bounded() Observation {
	o.Jicofo, o.Prosody = o.Jicofo.bounded(), o.Prosody.bounded()
	o.StatusFile, o.Census = o.StatusFile.bounded(), o.Census.bounded()
	return o
}

// Trigger is what made a collector look.
type Trigger string

// The triggers.
const (
	TriggerTick       Trigger = "tick"       // the polling interval
	TriggerStatusFile Trigger = "statusfile" // an event of the status file
	TriggerHangup     Trigger = "hangup"     // the service closed a connection that was kept for the next poll
	TriggerRecovery   Trigger = "recovery"   // the shorter interval while the service is unhealthy, or tolerated
)

// Failure names why a probe got no complete HTTP answer. The values are few and fixed: they are metric labels
// and the error.type of spans.
type Failure string

// The failures of a probe. The zero value, NoFailure, says that a complete answer came.
const (
	NoFailure         Failure = ""
	FailureTimeout    Failure = "timeout"              // nothing complete within PROBE_TIMEOUT
	FailureRefused    Failure = "connection_refused"   // nobody listens
	FailureReset      Failure = "connection_reset"     // the peer, or the network, broke the connection
	FailureResolve    Failure = "name_resolution"      // the host name has no address
	FailureTLS        Failure = "tls"                  // handshake or certificate
	FailureProtocol   Failure = "malformed_response"   // not HTTP
	FailureBodySize   Failure = "body_too_large"       // over the bound of spec section 2
	FailureRedirects  Failure = "too_many_redirects"   // more than 5
	FailureRedirected Failure = "redirected_elsewhere" // to another host, which is not asked
	FailureUnexpected Failure = "transport"            // any other transport error
	// FailureLocal says that the sidecar itself could not ask, for want of file descriptors, memory or ports. That is no
	// finding about the node, and no observation is made of it.
	FailureLocal Failure = "local_resources"
)

// Failures lists every Failure but NoFailure, for metrics that show all of them from the start.
var Failures = []Failure{
	FailureTimeout, FailureRefused, FailureReset, FailureResolve, FailureTLS, FailureProtocol, FailureBodySize, FailureRedirects,
	FailureRedirected, FailureUnexpected, FailureLocal,
}

// Answer is the outcome of one HTTP probe.
type Answer struct {
	// Code is the HTTP status code of a complete answer, 0 without one.
	Code int `json:"code"`
	// Failure is set exactly when Code is 0.
	Failure Failure `json:"failure,omitempty"`
	// Detail says in words what failed; for people.
	Detail string `json:"detail,omitempty"`
	// Took is how long the probe took, its retries included, in seconds, to the microsecond.
	Took float64 `json:"took,omitempty"`
	// Exchange is what was sent and what came, of a probe that did not find what it should; nil otherwise.
	Exchange *Exchange `json:"exchange,omitempty"`
}

// Exchange is what a failed probe sent and what came back.
type Exchange struct {
	URL  string `json:"url"`
	Host string `json:"host,omitempty"` // Host header, when it was not the URL's
	// TraceID is the trace of the poll.
	TraceID  string    `json:"trace_id,omitempty"`
	Attempts []Attempt `json:"attempts"`
	// Body is the beginning of the last answer's body, at most 256 bytes.
	Body string `json:"body,omitempty"`
}

// Attempt is one try of a probe. The times are from its start, in seconds, 0 for what did not happen.
type Attempt struct {
	Start time.Time `json:"start"`
	// Reused says that a connection that was open already was used.
	Reused      bool    `json:"reused,omitempty"`
	DNSDone     float64 `json:"dns_done,omitempty"`
	ConnectDone float64 `json:"connect_done,omitempty"`
	TLSDone     float64 `json:"tls_done,omitempty"`
	RequestSent float64 `json:"request_sent,omitempty"`
	FirstByte   float64 `json:"first_byte,omitempty"`
	Done        float64 `json:"done"`
	Code        int     `json:"code,omitempty"`
	Error       string  `json:"error,omitempty"`
}

// Reachable reports whether a complete HTTP answer came, whatever its code.
func (a Answer) Reachable() bool { return a.Code != 0 }

// OK reports whether the answer was 200.
func (a Answer) OK() bool { return a.Code == 200 }

// TimedOut reports whether the time allowed for the probe ran out.
func (a Answer) TimedOut() bool { return a.Failure == FailureTimeout }

// Jicofo is what a poll of jicofo found: GET /about/health and GET /stats, together.
type Jicofo struct {
	Health Answer `json:"health"`
	// Contents is the body of /about/health.
	Contents string `json:"contents,omitempty"`

	Stats Answer `json:"stats"`
	// Participants and Conferences are those of /stats; they mean something only when StatsProblem is empty and
	// Stats is OK.
	Participants float64 `json:"participants"`
	Conferences  float64 `json:"conferences"`
	// StatsProblem says why the body of a 200 from /stats could not be used, "" if it could.
	StatsProblem string `json:"stats_problem,omitempty"`
}

// Healthy reports whether both answers were 200 (spec section 3).
func (j *Jicofo) Healthy() bool { return j != nil && j.Health.OK() && j.Stats.OK() }

// StatsParsed reports whether /stats answered 200 with usable numbers.
func (j *Jicofo) StatsParsed() bool { return j != nil && j.Stats.OK() && j.StatsProblem == "" }

// SoftDown reports whether jicofo said of itself, with a 503, that it is unwell for the moment.
func (j *Jicofo) SoftDown() bool { return j != nil && j.Health.Code == 503 }

// Load returns participants and conferences; ok is false unless both answers were 200 and parsed.
func (j *Jicofo) Load() (participants, conferences float64, ok bool) {
	if !j.Healthy() || !j.StatsParsed() {
		return 0, 0, false
	}
	return j.Participants, j.Conferences, true
}

// Prosody is what a poll of prosody found: GET /http-bind.
type Prosody struct {
	Health Answer `json:"health"`
}

// Healthy reports whether the answer was 200.
func (p *Prosody) Healthy() bool { return p != nil && p.Health.OK() }

// SoftDown reports whether prosody did not answer in time.
func (p *Prosody) SoftDown() bool { return p != nil && p.Health.TimedOut() }

// StatusFile is what the drain status file held.
type StatusFile struct {
	// Found reports whether the file could be read.
	Found bool `json:"found"`
	// Contents is the trimmed text, at most 4 KiB.
	Contents string `json:"contents,omitempty"`
	// Problem says why the file could not be read, "" if it could.
	Problem string `json:"problem,omitempty"`
}

// Word returns what the contents mean; WordUnknown when the file could not be read.
func (s *StatusFile) Word() Word {
	if s == nil || !s.Found {
		return WordUnknown
	}
	return ParseWord(s.Contents)
}

// Census is what a poll of prosody's room census found.
type Census struct {
	Answer Answer `json:"answer"`
	// Problem says why the body of a 200 could not be used, "" if it could.
	Problem string `json:"problem,omitempty"`
	// Rooms is the JSON array of rooms as prosody sent it, every field included.
	Rooms json.RawMessage `json:"rooms,omitempty"`
	// Participants is the sum over the rooms, SumSquared the sum of each room's participants squared.
	Participants float64 `json:"participants"`
	SumSquared   float64 `json:"sum_squared"`
	// Leaked is the number of rooms marked as leaked: their occupants have no connection any more.
	Leaked int `json:"leaked,omitempty"`
	// Odd is the number of rows without a usable number of participants. They count as 0 in the sums.
	Odd int `json:"odd,omitempty"`
}

// OK reports whether the census was answered and understood.
func (c *Census) OK() bool { return c != nil && c.Answer.OK() && c.Problem == "" }
