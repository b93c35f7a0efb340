package collector

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// outcome is how a probe ended: ok, http_error, invalid_body or a health.Failure. Detail says it in words; two outcomes
// with the same key are the same trouble, however their details differ.
type outcome struct {
	label  string
	key    string
	detail string
	body   string // the beginning of what was answered, of a failed probe
}

var outcomeOK = outcome{label: "ok", key: "ok"}

// outcomeOf judges an HTTP probe.
func outcomeOf(a health.Answer, invalid error) outcome {
	var o outcome
	switch {
	case !a.Reachable():
		o = outcome{label: string(a.Failure), key: string(a.Failure), detail: a.Detail}
	case !a.OK():
		o = outcome{label: outcomeHTTPError, key: strconv.Itoa(a.Code), detail: a.Describe()}
	case invalid != nil:
		o = outcome{label: outcomeInvalidBody, key: outcomeInvalidBody, detail: problem(invalid)}
	default:
		return outcomeOK
	}
	if a.Exchange != nil {
		o.body = a.Exchange.Body
	}
	return o
}

// httpOutcomes are the labels of all outcomes of an HTTP probe, fileOutcomes of those of the status file.
var (
	httpOutcomes = append([]string{outcomeOK.label, outcomeHTTPError, outcomeInvalidBody}, failureLabels(health.Failures...)...)
	fileOutcomes = append([]string{outcomeOK.label, outcomeUnknownWord, outcomeUnreadable}, failureLabels(health.FailureLocal)...)
)

// The labels of outcomes that are no health.Failure.
const (
	outcomeHTTPError   = "http_error"
	outcomeInvalidBody = "invalid_body"
	outcomeUnknownWord = "unknown_word"
	outcomeUnreadable  = "unreadable"
)

func failureLabels(failures ...health.Failure) []string {
	labels := make([]string, len(failures))
	for i, f := range failures {
		labels[i] = string(f)
	}
	return labels
}

// recorder gives each run of one probe its span, its metrics, and the lines in the log that a change of its outcome
// deserves: when it begins to fail, fails differently, and ends to fail; never at every poll.
type recorder struct {
	name string
	in   instruments
	log  *slog.Logger
	set  metric.MeasurementOption // attribute probe

	pause  time.Duration // for how long of the run that is under way this process did not run
	stalls int           // runs in a row of which that is true

	last     outcome
	failures int // in a row
	since    time.Time
	untold   func() // logs the latest failure; nil when that has been done
}

// newRecorder returns the recorder of a probe. Its counters are 0 from now on for each outcome that it can have, so that a
// rate sees the first failure.
func newRecorder(name string, in instruments, log *slog.Logger, outcomes []string) *recorder {
	r := &recorder{
		name: name, in: in, log: log.With("probe", name), last: outcomeOK,
		set: metric.WithAttributeSet(attribute.NewSet(attribute.String("probe", name))),
	}
	ctx := context.Background()
	in.attempts.Add(ctx, 0, r.set)
	for _, label := range outcomes {
		in.results.Add(ctx, 0, r.result(label))
	}
	return r
}

// result is the attributes that an outcome is counted by.
func (r *recorder) result(label string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("probe", r.name), attribute.String("outcome", label))
}

// begin starts a run that began at start; done says that it ended at end, its outcome and the number of tries. Runs of one
// recorder do not overlap.
func (r *recorder) begin(ctx context.Context, start time.Time) (_ context.Context, done func(end time.Time, o outcome, attempts int)) {
	ctx, span := r.in.tracer.Start(ctx, "probe "+r.name,
		trace.WithTimestamp(start), trace.WithAttributes(attribute.String("signal.probe", r.name)))
	return ctx, func(end time.Time, o outcome, attempts int) {
		defer span.End(trace.WithTimestamp(end))
		span.SetAttributes(attribute.Int("signal.attempts", attempts))
		if ctx.Err() != nil {
			return // broken off by the end of the process: no finding
		}
		span.SetAttributes(attribute.String("signal.outcome", o.label))
		if o != outcomeOK {
			span.SetAttributes(attribute.String("error.type", o.label))
			span.SetStatus(codes.Error, o.detail)
			if o.body != "" {
				span.SetAttributes(attribute.String("signal.response.body", o.body))
			}
		}
		r.measure(ctx, o, attempts, end.Sub(start))
		if o == outcomeOK {
			r.tell(ctx, o)
			return
		}
		r.untold = func() { r.tell(ctx, o) }
	}
}

// paused notes, before a run is done, for how long of it this process did not run: that time does not count. Of some in a
// row only the first is logged.
func (r *recorder) paused(ctx context.Context, d time.Duration) {
	r.pause = d
	if d == 0 {
		r.stalls = 0
		return
	}
	trace.SpanFromContext(ctx).SetAttributes(attribute.Float64("signal.paused", d.Seconds()))
	if r.stalls++; r.stalls == 1 {
		r.log.WarnContext(ctx, "this process did not run during a probe", "seconds", d.Seconds())
	}
}

// flush logs a failure, once the observation that holds it has been handed on: its line then names the incident that it
// began.
func (r *recorder) flush() {
	if r.untold != nil {
		r.untold()
		r.untold = nil
	}
}

func (r *recorder) measure(ctx context.Context, o outcome, attempts int, took time.Duration) {
	r.in.duration.Record(ctx, (took - r.pause).Seconds(), r.set)
	r.in.attempts.Add(ctx, int64(attempts), r.set)
	r.in.results.Add(ctx, 1, r.result(o.label))
	success := int64(0)
	if o == outcomeOK {
		success = 1
	}
	r.in.success.Record(ctx, success, r.set)
}

// tell logs a change of the outcome.
func (r *recorder) tell(ctx context.Context, o outcome) {
	failed, failedBefore := o != outcomeOK, r.last != outcomeOK
	detail := health.OneLine(o.detail)
	switch {
	case failed && !failedBefore:
		r.since, r.failures = time.Now(), 0
		r.log.WarnContext(ctx, "probe began to fail", "outcome", o.label, "detail", detail)
	case failed && o.key != r.last.key:
		r.log.WarnContext(ctx, "probe fails differently", "outcome", o.label, "detail", detail, "failures", r.failures)
	case !failed && failedBefore:
		r.log.InfoContext(ctx, "probe works again", "failures", r.failures, "seconds", time.Since(r.since).Seconds())
	}
	if failed {
		r.failures++
	}
	r.last = o
}
