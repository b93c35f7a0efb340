// Package otel builds the OpenTelemetry providers that the rest of the sidecar is given, from the standard OTEL_*
// variables; the bridge from its metrics to Prometheus; and the telemetry of the verdict.
package otel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options says what to build.
type Options struct {
	// Build identifies the running binary, Instance the running process: see NewInstance.
	Build    Build
	Instance string
	// Prometheus turns the bridge on.
	Prometheus bool
	// Keep says which polls' traces are exported.
	Keep Keep
	// Log is where the log goes, whether or not it is pushed as well.
	Log slog.Handler
}

// Telemetry holds the providers. Without an exporter for traces spans have identities, so that the log and the probed
// services can name them, but are not recorded.
type Telemetry struct {
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Logger         *slog.Logger
	// Gatherer gathers all metrics for Prometheus; nil without the bridge.
	Gatherer prometheus.Gatherer

	local    *slog.Logger // for what concerns the export itself
	keeper   *keeper      // nil while traces are not exported
	incident atomic.Pointer[string]
	ledgers  []*ledger
	shutdown []func(context.Context) error
}

// New builds the providers. An exporter that cannot be built is an error that names it.
func New(ctx context.Context, o Options) (*Telemetry, error) {
	t := new(Telemetry)
	t.Logger = slog.New(logHandler{traceHandler{o.Log}, &t.incident})
	t.local = t.Logger
	res, err := newResource(ctx, o)
	if err != nil { // what could not be read is left out (OpenTelemetry specification, Environment Variables)
		t.Logger.WarnContext(ctx, "telemetry resource is incomplete", "error", err)
	}
	steps := []func(context.Context, Options, *resource.Resource) error{t.buildTraces, t.buildLogs, t.buildMetrics}
	for _, build := range steps {
		if err := build(ctx, o, res); err != nil {
			return nil, errors.Join(err, t.Shutdown(ctx))
		}
	}
	return t, nil
}

// Shutdown hands out what is left and ends the providers; ctx bounds it. They end together, so that a backend that does
// not take one signal costs the others no time. A second call finds nothing to do.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	errs := make([]error, len(t.shutdown))
	var all sync.WaitGroup
	for i, shutdown := range t.shutdown {
		all.Go(func() { errs[i] = shutdown(ctx) })
	}
	all.Wait()
	t.shutdown = nil
	return errors.Join(errs...)
}

// newLedger opens the books of a signal.
func (t *Telemetry) newLedger(signal string) *ledger {
	l := &ledger{signal: signal, log: t.local}
	t.ledgers = append(t.ledgers, l)
	return l
}

func (t *Telemetry) buildTraces(ctx context.Context, o Options, res *resource.Resource) error {
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(res)}
	if exporting("TRACES") {
		exporter, err := autoexport.NewSpanExporter(ctx)
		if err != nil {
			return fmt.Errorf("build the exporter of traces: %w", err)
		}
		t.keeper = newKeeper(o.Keep, newOutlet(exporter, t.newLedger("traces")))
		options = append(options, sdktrace.WithSpanProcessor(t.keeper)) // the sampler is that of OTEL_TRACES_SAMPLER
	} else {
		options = append(options, sdktrace.WithSampler(sdktrace.NeverSample()))
	}
	provider := sdktrace.NewTracerProvider(options...)
	t.TracerProvider = versionedTracers{provider, o.Build.Version}
	t.shutdown = append(t.shutdown, provider.Shutdown)
	return nil
}

func (t *Telemetry) buildLogs(ctx context.Context, o Options, res *resource.Resource) error {
	if !exporting("LOGS") {
		return nil
	}
	exporter, err := autoexport.NewLogExporter(ctx)
	if err != nil {
		return fmt.Errorf("build the exporter of logs: %w", err)
	}
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(newBoundedLogs(exporter, t.newLedger("logs"))))
	t.shutdown = append(t.shutdown, provider.Shutdown)
	pushed := levelHandler{otelslog.NewHandler(scope, otelslog.WithVersion(o.Build.Version), otelslog.WithLoggerProvider(provider)), o.Log}
	t.Logger = slog.New(logHandler{slog.NewMultiHandler(traceHandler{o.Log}, pushed), &t.incident})
	return nil
}

func (t *Telemetry) buildMetrics(ctx context.Context, o Options, res *resource.Resource) error {
	options := []sdkmetric.Option{sdkmetric.WithResource(res), sdkmetric.WithView(goroutinesView)}
	if o.Prometheus {
		reader, gatherer, err := newBridge()
		if err != nil {
			return err
		}
		t.Gatherer = gatherer
		options = append(options, sdkmetric.WithReader(reader))
	}
	if exporting("METRICS") {
		reader, err := newPushReader(ctx, t.newLedger("metrics"))
		if err != nil {
			return fmt.Errorf("build the exporter of metrics: %w", err)
		}
		options = append(options, sdkmetric.WithReader(reader))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	t.MeterProvider = versionedMeters{provider, o.Build.Version}
	t.shutdown = append(t.shutdown, provider.Shutdown)
	if err := runtime.Start(runtime.WithMeterProvider(provider)); err != nil {
		return fmt.Errorf("start Go runtime metrics: %w", err)
	}
	return errors.Join(o.Build.register(t.MeterProvider), register(t.MeterProvider.Meter(scope), t.ledgers))
}
