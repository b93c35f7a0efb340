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

const scope = "github.com/signal-sidecar/signal-sidecar/otel"

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
		metric.WithDescription("Number of changes of the verdict, by the state they led to (ready, drain, maint, unknown, down) and the root reason."))
	if err != nil {
		return nil, fmt.Errorf("create verdict instruments: %w", err)
	}
	return v, nil
}

// Listen implements health.Listener.
func (v *Verdicts) Listen(ctx context.Context, before, after *health.Snapshot) {
	from, to := before.Verdict, after.Verdict
	if from.Same(to) {
		return
	}
	incident := to.Incident
	if incident == "" {
		incident = from.Incident // which this change ends
	}
	v.telemetry.changed(ctx, to.Incident, incident)
	root := string(to.RootReason())
	ctx, span := v.tracer.Start(ctx, "verdict "+to.State(), trace.WithNewRoot(),
		trace.WithLinks(trace.LinkFromContext(ctx)),
		trace.WithAttributes(
			attribute.String("signal.verdict.from", from.AgentLine()),
			attribute.String("signal.verdict.to", to.AgentLine()),
			attribute.Bool("signal.verdict.damped", to.Damped),
			attribute.StringSlice("signal.verdict.reasons", reasonCodes(to))))
	defer span.End()
	if incident != "" {
		span.SetAttributes(incidentKey.String(incident))
	}
	v.changes.Add(ctx, 1, metric.WithAttributes(attribute.String("to", to.State()), attribute.String("reason", root)))
	attrs := []any{"from", from.AgentLine(), "to", to.AgentLine(), "damped", to.Damped, "reasons", reasonTexts(to)}
	if !to.Until.IsZero() {
		attrs = append(attrs, "until", to.Until.UTC().Format(time.RFC3339Nano))
	}
	v.telemetry.Logger.InfoContext(ctx, "verdict changed", attrs...)
	v.telemetry.incident.Store(&to.Incident)
}

// changed lets spans and log lines know the incident that a change of the verdict belongs to. The log's is set back, if
// the incident is over, only after the change itself has been logged.
func (t *Telemetry) changed(ctx context.Context, underWay, of string) {
	t.incident.Store(&of)
	if t.keeper != nil {
		t.keeper.changed(ctx, underWay, of)
	}
}

func reasonCodes(v health.Verdict) []string {
	codes := make([]string, len(v.Reasons))
	for i, r := range v.Reasons {
		codes[i] = string(r.Code)
	}
	return codes
}

func reasonTexts(v health.Verdict) []string {
	texts := make([]string, len(v.Reasons))
	for i, r := range v.Reasons {
		texts[i] = string(r.Code) + ": " + r.Text
	}
	return texts
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
