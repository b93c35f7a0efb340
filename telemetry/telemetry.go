// Package telemetry describes the verdict to OpenTelemetry: metrics of what is in force; a count, a span and a log line
// for each change; the incident on every span and log line; and which polls are exported.
package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/otel"
)

const scope = "github.com/signal-sidecar/signal-sidecar/telemetry"

// incidentKey is the attribute of spans and log lines that names the incident.
const incidentKey = attribute.Key("incident.id")

// Options are the options of the providers. New sets LogAttrs, SpanProcessor and SpanBurst.
type Options struct {
	otel.Options
	// Keep determines which polls are exported.
	Keep Keep
}

// Telemetry holds the providers and describes the verdict with them.
type Telemetry struct {
	*otel.Providers
	polls    *pollBuffer // nil while traces are not exported
	incident atomic.Pointer[logIncident]
	tracer   trace.Tracer
	meter    metric.Meter
	changes  metric.Int64Counter
}

// New builds the providers. The caller registers Listen with the Monitor.
func New(ctx context.Context, o Options) (*Telemetry, error) {
	t := new(Telemetry)
	t.incident.Store(new(logIncident))
	o.LogAttrs = t.logAttrs
	o.SpanProcessor = func(export sdktrace.SpanProcessor) sdktrace.SpanProcessor {
		t.polls = newPollBuffer(o.Keep, export)
		return t.polls
	}
	if o.Keep == KeepIncidents {
		o.SpanBurst = maxReleasedSpans
	}
	var err error
	if t.Providers, err = otel.New(ctx, o.Options); err != nil {
		return nil, err
	}
	t.tracer, t.meter = t.TracerProvider.Tracer(scope), t.MeterProvider.Meter(scope)
	t.changes, err = t.meter.Int64Counter("signal.verdict.changes",
		metric.WithUnit("{change}"),
		metric.WithDescription("Number of changes of the verdict, by the state they led to (ready, drain, maint, "+
			"unknown, down) and the root reason."))
	if err != nil {
		return nil, fmt.Errorf("create verdict instruments: %w", err)
	}
	for _, sr := range health.StateReasons() { // 0 from the start, so that a rate includes the first change
		t.changes.Add(ctx, 0, changeAttributes(sr.State, sr.Reason))
	}
	return t, nil
}

// changeAttributes returns the attributes by which a change of the verdict is counted.
func changeAttributes(to string, reason health.Code) metric.AddOption {
	return metric.WithAttributes(attribute.String("to", to), attribute.String("reason", string(reason)))
}

// logIncident is the incident that log lines belong to.
type logIncident struct {
	current string // "" for none
	// ended is the incident that the trace endedBy ended. The later lines of that trace still belong to it.
	ended   string
	endedBy trace.TraceID
}

// logAttrs returns the attributes of a log line.
func (t *Telemetry) logAttrs(ctx context.Context) []slog.Attr {
	incident := t.incident.Load()
	id := incident.current
	if id == "" && incident.endedBy.IsValid() && trace.SpanContextFromContext(ctx).TraceID() == incident.endedBy {
		id = incident.ended
	}
	if id == "" {
		return nil
	}
	return []slog.Attr{slog.String(string(incidentKey), id)}
}

// Listen implements health.Listener.
func (t *Telemetry) Listen(ctx context.Context, step health.Step, _ *health.Snapshot) {
	for _, change := range step.Changes {
		t.record(ctx, change)
	}
}

// record counts, traces and logs one change.
func (t *Telemetry) record(ctx context.Context, change health.Change) {
	from, to, incident := change.From, change.To, change.Incident()
	cause := trace.SpanContextFromContext(ctx).TraceID()
	t.incident.Store(&logIncident{current: incident})
	if t.polls != nil {
		t.polls.verdictChanged(ctx, to.Incident, incident)
	}
	ctx, span := t.tracer.Start(ctx, "verdict "+to.State(), trace.WithNewRoot(),
		trace.WithLinks(trace.LinkFromContext(ctx)),
		trace.WithAttributes(
			attribute.String("signal.verdict.from", from.AgentLine()),
			attribute.String("signal.verdict.to", to.AgentLine()),
			attribute.Bool("signal.verdict.damped", to.Damped),
			attribute.StringSlice("signal.verdict.reasons", stringsOf(to.Codes()))))
	defer span.End()
	if incident != "" {
		span.SetAttributes(incidentKey.String(incident))
	}
	t.changes.Add(ctx, 1, changeAttributes(to.State(), to.RootReason()))
	attrs := []any{"from", from.AgentLine(), "to", to.AgentLine(), "damped", to.Damped, "reasons", stringsOf(to.Reasons)}
	if !to.Until.IsZero() {
		attrs = append(attrs, "until", to.Until.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	t.Logger.InfoContext(ctx, "verdict changed", attrs...)
	t.incident.Store(&logIncident{current: to.Incident, ended: incident, endedBy: cause})
}

// stringsOf formats each element.
func stringsOf[T any](all []T) []string {
	formatted := make([]string, len(all))
	for i, one := range all {
		formatted[i] = fmt.Sprint(one)
	}
	return formatted
}

// Source returns the latest snapshot; *health.Monitor is one.
type Source interface{ Current() *health.Snapshot }

// Watch creates the metrics of what is in force, read from the source at each collection. A metric without a known
// value is absent.
func (t *Telemetry) Watch(source Source) error {
	g := newGauges(t.meter)
	if g.err != nil {
		return fmt.Errorf("create verdict instruments: %w", g.err)
	}
	_, err := t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		g.observe(o, source.Current())
		return nil
	}, g.all...)
	if err != nil {
		return fmt.Errorf("observe the verdict: %w", err)
	}
	return nil
}
