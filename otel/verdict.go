package otel

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// Source is where the snapshots come from; *health.Monitor is one.
type Source interface{ Current() *health.Snapshot }

// Verdicts tells the verdict to telemetry: metrics of what is in force, and for each change a count, a span and a line
// in the log.
type Verdicts struct {
	telemetry *Telemetry
	tracer    trace.Tracer
	meter     metric.Meter
	changes   metric.Int64Counter
}

// NewVerdicts returns Verdicts whose Listen is to be given to the Monitor.
func NewVerdicts(t *Telemetry) (*Verdicts, error) {
	v := &Verdicts{telemetry: t, tracer: t.TracerProvider.Tracer(scope), meter: t.MeterProvider.Meter(scope)}
	var err error
	v.changes, err = v.meter.Int64Counter("signal.verdict.changes",
		metric.WithUnit("{change}"), metric.WithDescription("Number of changes of the verdict, by the state they led to (ready, drain, maint, unknown, down) and the root reason."))
	if err != nil {
		return nil, fmt.Errorf("create verdict instruments: %w", err)
	}
	for _, sr := range health.StateReasons() { // 0 from the start, so that a rate sees the first change
		v.changes.Add(context.Background(), 0, changeAttributes(sr.State, sr.Reason))
	}
	return v, nil
}

// changeAttributes are those that a change of the verdict is counted by.
func changeAttributes(to string, reason health.Code) metric.AddOption {
	return metric.WithAttributes(attribute.String("to", to), attribute.String("reason", string(reason)))
}

// Listen implements health.Listener.
func (v *Verdicts) Listen(ctx context.Context, step health.Step, _ *health.Snapshot) {
	for _, change := range step.Changes {
		v.tell(ctx, change)
	}
}

// tell tells one change.
func (v *Verdicts) tell(ctx context.Context, change health.Change) {
	from, to := change.From, change.To
	v.telemetry.changed(ctx, to.Incident, change.Incident())
	ctx, span := v.tracer.Start(ctx, "verdict "+to.State(), trace.WithNewRoot(),
		trace.WithLinks(trace.LinkFromContext(ctx)),
		trace.WithAttributes(
			attribute.String("signal.verdict.from", from.AgentLine()),
			attribute.String("signal.verdict.to", to.AgentLine()),
			attribute.Bool("signal.verdict.damped", to.Damped),
			attribute.StringSlice("signal.verdict.reasons", texts(to.Codes()))))
	defer span.End()
	if id := change.Incident(); id != "" {
		span.SetAttributes(incidentKey.String(id))
	}
	v.changes.Add(ctx, 1, changeAttributes(to.State(), to.RootReason()))
	attrs := []any{"from", from.AgentLine(), "to", to.AgentLine(), "damped", to.Damped, "reasons", texts(to.Reasons)}
	if !to.Until.IsZero() {
		attrs = append(attrs, "until", to.Until.UTC().Format(time.RFC3339Nano))
	}
	v.telemetry.Logger.InfoContext(ctx, "verdict changed", attrs...)
	v.telemetry.incident.Store(&to.Incident)
}

// changed lets spans and log lines know the incident that a change of the verdict belongs to. The log's is set back, if
// the incident is over, only after the change itself has been logged.
func (t *Telemetry) changed(ctx context.Context, underWay, incident string) {
	t.incident.Store(&incident)
	if t.keeper != nil {
		t.keeper.changed(ctx, underWay, incident)
	}
}

// texts spells each of them.
func texts[T any](all []T) []string {
	spelled := make([]string, len(all))
	for i, one := range all {
		spelled[i] = fmt.Sprint(one)
	}
	return spelled
}

// Watch shows what is in force, read from the source at each collection. Nothing is shown before it is known.
func (v *Verdicts) Watch(source Source) error {
	g := newGauges(v.meter)
	if g.err != nil {
		return fmt.Errorf("create verdict instruments: %w", g.err)
	}
	_, err := v.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		g.observe(o, source.Current())
		return nil
	}, g.all...)
	if err != nil {
		return fmt.Errorf("observe the verdict: %w", err)
	}
	return nil
}
