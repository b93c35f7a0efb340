package health

import "fmt"

// Outcome is how a probe ended: one of the constants below, or a Failure. The set of values is small and fixed, because
// they are metric labels and the error.type of spans.
type Outcome string

// The outcomes that are not a Failure.
const (
	OutcomeOK          Outcome = "ok"
	OutcomeHTTPError   Outcome = "http_error"   // an answer other than 200
	OutcomeInvalidBody Outcome = "invalid_body" // a 200 whose body could not be used
	OutcomeUnknownWord Outcome = "unknown_word" // a status file without a known word
	OutcomeUnreadable  Outcome = "unreadable"   // a status file that is missing or cannot be read
)

// Outcomes lists the outcomes that the probe can have, for metrics that export all of them from the start.
func (p Probe) Outcomes() []Outcome {
	if p == ProbeStatusFile {
		return []Outcome{OutcomeOK, OutcomeUnknownWord, OutcomeUnreadable, Outcome(FailureLocal)}
	}
	outcomes := []Outcome{OutcomeOK, OutcomeHTTPError, OutcomeInvalidBody}
	for _, f := range Failures {
		outcomes = append(outcomes, Outcome(f))
	}
	return outcomes
}

// Result is the result of one probe.
type Result struct {
	Probe   Probe
	Outcome Outcome
	// Detail describes what the probe found, "" if it found what it should.
	Detail string
	// Error is the original error that Detail describes, "" for none.
	Error string
	// Took is the duration of the probe in seconds, 0 if it is not measured.
	Took float64
	// Answer is the answer to a probe over HTTP, nil for other probes.
	Answer *Answer
	// Problem is the reason why the body of a 200 could not be used, "" if it could.
	Problem string
}

// Failed reports whether the probe did not find what it should. No other code decides this.
func (r Result) Failed() bool { return r.Outcome != OutcomeOK }

// result returns the result of a probe over HTTP. problem is the reason why the body of a 200 could not be used.
func (a Answer) result(probe Probe, problem string) Result {
	r := Result{Probe: probe, Outcome: OutcomeOK, Took: a.Took, Answer: &a, Problem: problem, Error: a.Error}
	switch {
	case !a.Reachable():
		r.Outcome, r.Detail = Outcome(a.Failure), a.Detail
	case !a.OK():
		r.Outcome, r.Detail = OutcomeHTTPError, a.Describe()
	case problem != "":
		r.Outcome, r.Detail = OutcomeInvalidBody, problem
	}
	return r
}

func (s *StatusFile) result() Result {
	r := Result{Probe: ProbeStatusFile, Outcome: OutcomeOK}
	switch {
	case !s.Found:
		r.Outcome, r.Detail = OutcomeUnreadable, s.Problem
	case !s.Word().Known():
		r.Outcome, r.Detail = OutcomeUnknownWord, fmt.Sprintf("%.40q", s.Contents)
	}
	return r
}
