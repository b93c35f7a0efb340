// Package history keeps in memory what happened to the node: the last observations, the changes of the verdict and the
// last failures of each probe.
package history

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// The bounds of a History.
const (
	MaxObservations = 720 // 15 minutes of four probes, every 5 s
	MaxChanges      = 256
	MaxFailures     = 64  // of each probe
	MaxSamples      = 960 // 720 in an hour without changes, and 240 more, because each change begins one
	// SampleTime is the longest time that one sample covers. A change of the verdict begins a new sample.
	SampleTime = 5 * time.Second
)

// Observation is an observation and the time at which the verdict took it into account.
type Observation struct {
	At health.Time `json:"at"` // hides the embedded At, which has another precision and zone
	health.Observation
}

// Change is a change of the verdict.
type Change struct {
	At health.Time `json:"at"`
	// From and To are agent replies without the line end; From is empty before the first verdict.
	From     string        `json:"from"`
	To       string        `json:"to"`
	State    string        `json:"state"` // the new state in one word: see health.Verdict.State
	Damped   bool          `json:"damped"`
	Incident string        `json:"incident,omitempty"`
	Reasons  []health.Code `json:"reasons"`
	// TraceID is the trace of the poll that caused the change, empty for a deadline.
	TraceID string `json:"trace_id,omitempty"`
}

// Failure is a failed probe.
type Failure struct {
	At      health.Time    `json:"at"`
	Trigger health.Trigger `json:"trigger,omitempty"`
	// Answer is the result of a probe over HTTP, with its request and each attempt; nil for the status file.
	Answer *health.Answer `json:"answer,omitempty"`
	// Problem is the reason why the body of a 200 could not be used.
	Problem string `json:"problem,omitempty"`
	// StatusFile is what was read; only for the status file.
	StatusFile *health.StatusFile `json:"status_file,omitempty"`
}

// Page is a part of the history, newest first.
type Page struct {
	Observations []Observation              `json:"observations"`
	Changes      []Change                   `json:"changes"`
	Failures     map[health.Probe][]Failure `json:"failures"`
}

// History keeps the latest observations, changes, failures and samples, within fixed bounds. Each probe's failures have
// a bound of their own, so that other entries do not displace them. It is safe for concurrent use.
type History struct {
	mu           sync.Mutex
	observations ring[Observation]
	changes      ring[Change]
	failures     map[health.Probe]*ring[Failure]
	samples      ring[Sample]
	version      uint64
}

// New returns an empty History.
func New() *History {
	h := &History{
		observations: newRing[Observation](MaxObservations), changes: newRing[Change](MaxChanges),
		failures: map[health.Probe]*ring[Failure]{}, samples: newRing[Sample](MaxSamples),
	}
	for _, probe := range health.Probes {
		failures := newRing[Failure](MaxFailures)
		h.failures[probe] = &failures
	}
	return h
}

// Listen adds a step to the history. It is a health.Listener.
func (h *History) Listen(ctx context.Context, step health.Step, after *health.Snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.version++
	if step.Observed() {
		h.observations.add(step.At, Observation{health.Time(step.At), step.Observation})
		h.addFailures(step.At, step.Observation)
	}
	for _, c := range step.Changes {
		h.addChange(ctx, step, c)
	}
	h.addSample(step, after)
}

// addSample adds a step to the current sample, or to a new one.
func (h *History) addSample(step health.Step, s *health.Snapshot) {
	last := h.samples.last()
	if last == nil || step.At.Sub(last.at) >= SampleTime || len(step.Changes) > 0 {
		h.samples.add(step.At, Sample{Began: step.At})
		last = h.samples.last()
	}
	last.value.add(step, s)
}

func (h *History) addChange(ctx context.Context, step health.Step, c health.Change) {
	change := Change{
		At: health.Time(c.At), From: c.From.AgentLine(), To: c.To.AgentLine(), State: c.To.State(), Damped: c.To.Damped,
		Incident: c.Incident(), Reasons: c.To.Codes(),
	}
	if step.Observed() && c.At.Equal(step.At) { // an earlier change is that of a deadline, and has no poll
		change.TraceID = traceID(ctx)
	}
	h.changes.add(c.At, change)
}

// traceID returns the id of the trace in a context, "" for none.
func traceID(ctx context.Context) string {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		return span.TraceID().String()
	}
	return ""
}

// addFailures adds the failed probes of an observation.
func (h *History) addFailures(at time.Time, o health.Observation) {
	for _, r := range o.Results() {
		if !r.Failed() {
			continue
		}
		f := Failure{At: health.Time(at), Trigger: o.Trigger, Answer: r.Answer, Problem: r.Problem}
		if r.Probe == health.ProbeStatusFile {
			f.StatusFile = o.StatusFile
		}
		h.failures[r.Probe].add(at, f)
	}
}

// Version returns a number that changes whenever something is added.
func (h *History) Version() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.version
}

// Since returns the entries at t and later, newest first. The zero time returns all entries.
func (h *History) Since(t time.Time) Page {
	h.mu.Lock()
	defer h.mu.Unlock()
	page := Page{
		Observations: h.observations.since(t), Changes: h.changes.since(t), Failures: map[health.Probe][]Failure{},
	}
	for probe, failures := range h.failures {
		page.Failures[probe] = failures.since(t)
	}
	return page
}

// Samples returns the samples of the last hour or more, newest first.
func (h *History) Samples() []Sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.samples.since(time.Time{})
}

// Changes returns the changes that are kept, newest first.
func (h *History) Changes() []Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changes.since(time.Time{})
}
