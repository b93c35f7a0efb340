// Package otel builds the OpenTelemetry providers from the standard OTEL_* variables, the bridge from their metrics to
// Prometheus, and the log. It does not depend on the packages that use the providers.
package otel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

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

// Options are what the environment does not determine.
type Options struct {
	// Build identifies the running binary, Instance the running process: see NewInstance.
	Build    Build
	Instance string
	// Prometheus turns the bridge on.
	Prometheus bool
	// Log is the local destination of the log, whether the log is also exported or not.
	Log slog.Handler
	// LogAttrs returns the attributes to add to a log line, from the context of that line. It may be nil.
	LogAttrs func(context.Context) []slog.Attr
	// SpanProcessor returns the processor that receives all spans. export is the batch processor that exports them.
	// SpanProcessor may be nil. It is called only if traces are exported.
	SpanProcessor func(export sdktrace.SpanProcessor) sdktrace.SpanProcessor
	// SpanBurst is the largest number of spans that SpanProcessor may pass on at once. The queue of the batch processor
	// has room for them in addition to OTEL_BSP_MAX_QUEUE_SIZE.
	SpanBurst int
}

// Providers holds the providers. Without an exporter for traces, spans are not recorded. They still have IDs, so that
// the log and the probed services can refer to them.
type Providers struct {
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Logger         *slog.Logger
	// Gatherer gathers all metrics for Prometheus; nil without the bridge.
	Gatherer prometheus.Gatherer

	localLogger *slog.Logger // does not export
	counts      []*exportCount
	shutdown    []func(context.Context) error
}

// New builds the providers. The error names an exporter that cannot be built.
func New(ctx context.Context, o Options) (*Providers, error) {
	p := new(Providers)
	p.Logger = slog.New(logHandler{o.Log, slog.DiscardHandler, o.LogAttrs})
	p.localLogger = p.Logger
	res, err := newResource(ctx, o)
	if err != nil { // what cannot be read is left out (OpenTelemetry specification, Environment Variables)
		p.Logger.WarnContext(ctx, "telemetry resource is incomplete", "error", err)
	}
	steps := []func(context.Context, Options, *resource.Resource) error{p.buildTraces, p.buildLogs, p.buildMetrics}
	for _, build := range steps {
		if err := build(ctx, o, res); err != nil {
			return nil, errors.Join(err, p.Shutdown(ctx))
		}
	}
	return p, nil
}

// Shutdown exports what is queued and shuts the providers down, within the deadline of ctx. They shut down
// concurrently, so that a backend that does not accept one signal takes no time from the others. A second call does
// nothing.
func (p *Providers) Shutdown(ctx context.Context) error {
	errs := make([]error, len(p.shutdown))
	var all sync.WaitGroup
	for i, shutdown := range p.shutdown {
		all.Go(func() { errs[i] = shutdown(ctx) })
	}
	all.Wait()
	p.shutdown = nil
	return errors.Join(errs...)
}

// newCount returns the count of a signal and adds it to the metrics.
func (p *Providers) newCount(signal string) *exportCount {
	c := &exportCount{signal: signal, log: p.localLogger}
	p.counts = append(p.counts, c)
	return c
}

func (p *Providers) buildTraces(ctx context.Context, o Options, res *resource.Resource) error {
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(res)}
	if exporting("TRACES") {
		exporter, err := autoexport.NewSpanExporter(ctx)
		if err != nil {
			return fmt.Errorf("build the exporter of traces: %w", err)
		}
		var processor sdktrace.SpanProcessor = newCountedSpans(exporter, o.SpanBurst, p.newCount("traces"))
		if o.SpanProcessor != nil {
			processor = o.SpanProcessor(processor)
		}
		options = append(options, sdktrace.WithSpanProcessor(processor)) // the sampler is set by OTEL_TRACES_SAMPLER
	} else {
		options = append(options, sdktrace.WithSampler(sdktrace.NeverSample()))
	}
	provider := sdktrace.NewTracerProvider(options...)
	p.TracerProvider = versionedTracers{provider, o.Build.Version}
	p.shutdown = append(p.shutdown, provider.Shutdown)
	return nil
}

func (p *Providers) buildLogs(ctx context.Context, o Options, res *resource.Resource) error {
	if !exporting("LOGS") {
		return nil
	}
	exporter, err := autoexport.NewLogExporter(ctx)
	if err != nil {
		return fmt.Errorf("build the exporter of logs: %w", err)
	}
	processor := newCountedLogs(exporter, p.newCount("logs"))
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(processor))
	p.shutdown = append(p.shutdown, provider.Shutdown)
	export := otelslog.NewHandler(scope, otelslog.WithVersion(o.Build.Version), otelslog.WithLoggerProvider(provider))
	p.Logger = slog.New(logHandler{o.Log, export, o.LogAttrs})
	return nil
}

func (p *Providers) buildMetrics(ctx context.Context, o Options, res *resource.Resource) error {
	options := []sdkmetric.Option{sdkmetric.WithResource(res), sdkmetric.WithView(goroutinesView)}
	if o.Prometheus {
		reader, gatherer, err := newBridge()
		if err != nil {
			return err
		}
		p.Gatherer = gatherer
		options = append(options, sdkmetric.WithReader(reader))
	}
	if exporting("METRICS") {
		reader, err := newPushReader(ctx, p.newCount("metrics"))
		if err != nil {
			return fmt.Errorf("build the exporter of metrics: %w", err)
		}
		options = append(options, sdkmetric.WithReader(reader))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	p.MeterProvider = versionedMeters{provider, o.Build.Version}
	p.shutdown = append(p.shutdown, provider.Shutdown)
	if err := runtime.Start(runtime.WithMeterProvider(provider)); err != nil {
		return fmt.Errorf("start Go runtime metrics: %w", err)
	}
	return errors.Join(o.Build.register(p.MeterProvider), registerExportCounts(p.MeterProvider.Meter(scope), p.counts))
}
