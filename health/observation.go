package health

import (
	"encoding/json"
	"time"
)

// Observation is what one collector observed at one time. Exactly one of its four parts is set. A part must not be
// changed after the observation was passed on.
type Observation struct {
	// At is the time when the answer, or its absence, was known.
	At time.Time `json:"at,omitzero"`
	// Trigger is the reason why the collector probed.
	Trigger Trigger `json:"trigger,omitempty"`

	Jicofo     *Jicofo     `json:"jicofo,omitempty"`
	Prosody    *Prosody    `json:"prosody,omitempty"`
	StatusFile *StatusFile `json:"status_file,omitempty"`
	Census     *Census     `json:"census,omitempty"`
}

// Probe names a probe. The names are metric labels and keys of /signal/history.
type Probe string

// The probes.
const (
	ProbeJicofoHealth Probe = "jicofo_health"
	ProbeJicofoStats  Probe = "jicofo_stats"
	ProbeProsody      Probe = "prosody"
	ProbeCensus       Probe = "census"
	ProbeStatusFile   Probe = "status_file"
)

// Probes lists every probe, in display order.
var Probes = [...]Probe{ProbeJicofoHealth, ProbeJicofoStats, ProbeProsody, ProbeCensus, ProbeStatusFile}

// Parts returns the number of parts that are set.
func (o Observation) Parts() int {
	n := 0
	for _, set := range []bool{o.Jicofo != nil, o.Prosody != nil, o.StatusFile != nil, o.Census != nil} {
		if set {
			n++
		}
	}
	return n
}

// Results returns the result of each probe whose part is set, in the order of Probes.
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
// long texts cut. It keeps everything that a verdict depends on.
func (o Observation) Bounded() Observation {
	o.Jicofo, o.Prosody = o.Jicofo.bounded(), o.Prosody.bounded()
	o.StatusFile, o.Census = o.StatusFile.bounded(), o.Census.bounded()
	return o
}

// Trigger is the reason why a collector probed.
type Trigger string

// The values of Trigger.
const (
	TriggerTick       Trigger = "tick"       // the polling interval
	TriggerStatusFile Trigger = "statusfile" // an event of the status file
	TriggerHangup     Trigger = "hangup"     // the service closed a connection kept for the next poll
	TriggerRecovery   Trigger = "recovery"   // the shorter interval while the service is unhealthy or tolerated
)

// Failure names why a probe got no complete HTTP answer. The set of values is small and fixed, because they are metric
// labels and the error.type of spans.
type Failure string

// The failures of a probe. The zero value, NoFailure, means that a complete answer came.
const (
	NoFailure         Failure = ""
	FailureTimeout    Failure = "timeout"              // no complete answer within PROBE_TIMEOUT
	FailureRefused    Failure = "connection_refused"   // no listener on the port
	FailureReset      Failure = "connection_reset"     // the peer or the network broke the connection
	FailureResolve    Failure = "name_resolution"      // the host name has no address
	FailureTLS        Failure = "tls"                  // handshake or certificate
	FailureProtocol   Failure = "malformed_response"   // not HTTP
	FailureBodySize   Failure = "body_too_large"       // over the limit of the probe
	FailureRedirects  Failure = "too_many_redirects"   // more than 5
	FailureRedirected Failure = "redirected_elsewhere" // to another host, which is not probed
	FailureUnexpected Failure = "transport"            // any other transport error
	// FailureLocal means that the sidecar could not probe, because it lacked file descriptors, memory or ports. No
	// observation is made then, because this is not a fact about the node.
	FailureLocal Failure = "local_resources"
)

// Failures lists every Failure except NoFailure, for metrics that export all of them from the start.
var Failures = []Failure{
	FailureTimeout, FailureRefused, FailureReset, FailureResolve, FailureTLS, FailureProtocol, FailureBodySize,
	FailureRedirects,
	FailureRedirected, FailureUnexpected, FailureLocal,
}

// Answer is the outcome of one HTTP probe.
type Answer struct {
	// Code is the HTTP status code of a complete answer, 0 without one.
	Code int `json:"code"`
	// Failure is set exactly when Code is 0.
	Failure Failure `json:"failure,omitempty"`
	// Detail describes the failure in an operator's words, as a phrase that follows the name of the service: "does not
	// accept connections at 127.0.0.1:8888".
	Detail string `json:"detail,omitempty"`
	// Error is the original error of a failure or of a body that could not be used. It is empty in recordings of older
	// versions, where Detail is the original error.
	Error string `json:"error,omitempty"`
	// Took is the duration of the probe with its retries, in seconds, to the microsecond.
	Took float64 `json:"took,omitempty"`
	// Exchange is what the probe sent and received. It is nil if the probe found what it should.
	Exchange *Exchange `json:"exchange,omitempty"`
}

// Exchange is what a failed probe sent and received.
type Exchange struct {
	URL  string `json:"url"`
	Host string `json:"host,omitempty"` // the Host header, if it differs from the URL's
	// TraceID is the trace of the poll.
	TraceID  string    `json:"trace_id,omitempty"`
	Attempts []Attempt `json:"attempts"`
	// Body is the beginning of the last answer's body, at most 256 bytes.
	Body string `json:"body,omitempty"`
}

// Attempt is one attempt of a probe. The times are in seconds from its start, 0 for a phase that did not happen.
type Attempt struct {
	Start time.Time `json:"start"`
	// Reused reports whether the attempt used an open connection.
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

// TimedOut reports whether the probe exceeded its timeout.
func (a Answer) TimedOut() bool { return a.Failure == FailureTimeout }

// Jicofo is the result of one poll of jicofo: GET /about/health and GET /stats.
type Jicofo struct {
	Health Answer `json:"health"`
	// Contents is the body of /about/health.
	Contents string `json:"contents,omitempty"`

	Stats Answer `json:"stats"`
	// Participants and Conferences come from /stats. They are valid only when StatsProblem is empty and Stats is OK.
	Participants float64 `json:"participants"`
	Conferences  float64 `json:"conferences"`
	// StatsProblem is the reason why the body of a 200 from /stats could not be used, "" if it could.
	StatsProblem string `json:"stats_problem,omitempty"`
}

// Healthy reports whether both answers were 200.
func (j *Jicofo) Healthy() bool { return j != nil && j.Health.OK() && j.Stats.OK() }

// StatsParsed reports whether /stats answered 200 with usable numbers.
func (j *Jicofo) StatsParsed() bool { return j != nil && j.Stats.OK() && j.StatsProblem == "" }

// SoftDown reports whether jicofo answered 503, which means a temporary failure.
func (j *Jicofo) SoftDown() bool { return j != nil && j.Health.Code == 503 }

// Load returns participants and conferences. ok is false unless both answers were 200 and parsed.
func (j *Jicofo) Load() (participants, conferences float64, ok bool) {
	if !j.Healthy() || !j.StatsParsed() {
		return 0, 0, false
	}
	return j.Participants, j.Conferences, true
}

// Prosody is the result of one poll of prosody: GET /http-bind.
type Prosody struct {
	Health Answer `json:"health"`
}

// Healthy reports whether the answer was 200.
func (p *Prosody) Healthy() bool { return p != nil && p.Health.OK() }

// SoftDown reports whether prosody did not answer in time.
func (p *Prosody) SoftDown() bool { return p != nil && p.Health.TimedOut() }

// StatusFile is the content of the drain status file.
type StatusFile struct {
	// Found reports whether the file could be read.
	Found bool `json:"found"`
	// Contents is the trimmed text, at most 4 KiB.
	Contents string `json:"contents,omitempty"`
	// Problem is the reason why the file could not be read, "" if it could.
	Problem string `json:"problem,omitempty"`
}

// Word returns the meaning of the contents; WordUnknown if the file could not be read.
func (s *StatusFile) Word() Word {
	if s == nil || !s.Found {
		return WordUnknown
	}
	return ParseWord(s.Contents)
}

// Census is the result of one poll of prosody's room census.
type Census struct {
	Answer Answer `json:"answer"`
	// Problem is the reason why the body of a 200 could not be used, "" if it could.
	Problem string `json:"problem,omitempty"`
	// Rooms is the JSON array of rooms as prosody sent it, with every field.
	Rooms json.RawMessage `json:"rooms,omitempty"`
	// Participants is the sum over the rooms. SumSquared is the sum of the squares of each room's participants.
	Participants float64 `json:"participants"`
	SumSquared   float64 `json:"sum_squared"`
	// Leaked is the number of rooms marked as leaked: their occupants no longer have a connection.
	Leaked int `json:"leaked,omitempty"`
	// Odd is the number of rows without a usable number of participants. They count as 0 in the sums.
	Odd int `json:"odd,omitempty"`
}

// OK reports whether the census was answered with 200 and a usable body.
func (c *Census) OK() bool { return c != nil && c.Answer.OK() && c.Problem == "" }
