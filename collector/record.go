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

// recorder creates the span and the metrics of each run of one probe. It logs a change of the outcome: when the probe
// begins to fail, fails differently, and works again. It does not log at every poll.
type recorder struct {
	probe health.Probe
	in    instruments
	log   *slog.Logger
	set   metric.MeasurementOption // the attribute probe

	run    run
	paused int // consecutive runs during which this process did not run for a while

	last     string // key of the latest result
	failures int    // consecutive
	since    time.Time
}

// run is one run of a probe. It is published after its result has been observed. Runs do not overlap.
type run struct {
	ctx        context.Context // with the span
	start, end time.Time
	attempts   int
	paused     time.Duration // how long this process did not run
}

// newRecorder returns the recorder of a probe. It sets the counter of each possible outcome to 0, so that a rate
// includes the first failure.
func newRecorder(probe health.Probe, in instruments, log *slog.Logger) *recorder {
	r := &recorder{
		probe: probe, in: in, log: log.With("probe", string(probe)), last: string(health.OutcomeOK),
		set: metric.WithAttributeSet(attribute.NewSet(attribute.String("probe", string(probe)))),
	}
	ctx := context.Background()
	in.attempts.Add(ctx, 0, r.set)
	for _, outcome := range probe.Outcomes() {
		in.results.Add(ctx, 0, r.outcome(outcome))
	}
	return r
}

// outcome returns the attributes of the counter of an outcome.
func (r *recorder) outcome(o health.Outcome) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("probe", string(r.probe)), attribute.String("outcome", string(o)))
}

// begin starts the span of a run. publish or abandon must follow.
func (r *recorder) begin(ctx context.Context, start time.Time) context.Context {
	ctx, _ = r.in.tracer.Start(ctx, "probe "+string(r.probe),
		trace.WithTimestamp(start), trace.WithAttributes(attribute.String("signal.probe", string(r.probe))))
	r.run = run{ctx: ctx, start: start}
	return ctx
}

// end records when the run ended, its number of attempts, and how long this process did not run during it. That time
// does not count as duration.
func (r *recorder) end(at time.Time, attempts int, paused time.Duration) {
	r.run.end, r.run.attempts, r.run.paused = at, attempts, paused
}

// abandon ends a run without a result, because this process is ending.
func (r *recorder) abandon() {
	span := trace.SpanFromContext(r.run.ctx)
	span.SetAttributes(attribute.Int("signal.attempts", r.run.attempts))
	span.End(trace.WithTimestamp(r.run.end))
}

// publish ends the span of the run, records its metrics, and logs a change. The result has been observed before, so
// that the log line has the ID of the incident that it began.
func (r *recorder) publish(result health.Result) {
	ctx, span := r.run.ctx, trace.SpanFromContext(r.run.ctx)
	defer span.End(trace.WithTimestamp(r.run.end))
	span.SetAttributes(
		attribute.Int("signal.attempts", r.run.attempts), attribute.String("signal.outcome", string(result.Outcome)))
	if r.run.paused > 0 {
		span.SetAttributes(attribute.Float64("signal.paused", seconds(r.run.paused)))
	}
	if result.Failed() {
		span.SetAttributes(attribute.String("error.type", string(result.Outcome)))
		span.SetStatus(codes.Error, result.Detail)
		if result.Error != "" {
			span.SetAttributes(attribute.String("signal.error", result.Error))
		}
		if a := result.Answer; a != nil && a.Exchange != nil && a.Exchange.Body != "" {
			span.SetAttributes(attribute.String("signal.response.body", a.Exchange.Body))
		}
	}
	r.measure(ctx, result)
	r.logPause(ctx)
	r.logChange(ctx, result)
}

func (r *recorder) measure(ctx context.Context, result health.Result) {
	r.in.duration.Record(ctx, (r.run.end.Sub(r.run.start) - r.run.paused).Seconds(), r.set)
	r.in.attempts.Add(ctx, int64(r.run.attempts), r.set)
	r.in.results.Add(ctx, 1, r.outcome(result.Outcome))
	success := int64(1)
	if result.Failed() {
		success = 0
	}
	r.in.success.Record(ctx, success, r.set)
}

// logPause logs that this process did not run for a while, for the first of several consecutive runs.
func (r *recorder) logPause(ctx context.Context) {
	if r.run.paused == 0 {
		r.paused = 0
		return
	}
	if r.paused++; r.paused == 1 {
		r.log.WarnContext(ctx, "this process did not run during a probe",
			"seconds", seconds(r.run.paused.Round(time.Millisecond)))
	}
}

// logChange logs a change of the outcome.
func (r *recorder) logChange(ctx context.Context, result health.Result) {
	key, described := keyOf(result), []any{
		"outcome", string(result.Outcome), "detail", health.OneLine(result.Detail),
	}
	if result.Error != "" {
		described = append(described, "error", health.OneLine(result.Error))
	}
	failedBefore := r.last != string(health.OutcomeOK)
	switch {
	case result.Failed() && !failedBefore:
		r.since, r.failures = time.Now(), 0
		r.log.WarnContext(ctx, "probe began to fail", described...)
	case result.Failed() && key != r.last:
		r.log.WarnContext(ctx, "probe fails differently", append(described, "failures", r.failures)...)
	case !result.Failed() && failedBefore:
		r.log.InfoContext(ctx, "probe works again",
			"failures", r.failures, "seconds", seconds(time.Since(r.since).Round(time.Millisecond)))
	}
	if result.Failed() {
		r.failures++
	}
	r.last = key
}

// keyOf returns the key of a result. Results with the same key are the same failure, even if their details differ.
func keyOf(r health.Result) string {
	switch r.Outcome {
	case health.OutcomeHTTPError:
		return strconv.Itoa(r.Answer.Code)
	case health.OutcomeUnreadable:
		return r.Detail
	default:
		return string(r.Outcome)
	}
}
