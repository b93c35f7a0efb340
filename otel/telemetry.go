// Package otel builds the OpenTelemetry providers that the rest of the sidecar is given, and the bridge from its metrics
// to Prometheus.
package otel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	bridge "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

// Options says what to build.
type Options struct {
	// Build identifies the running binary.
	Build Build
	// Prometheus turns the bridge on.
	Prometheus bool
	Logger     *slog.Logger
}

// Telemetry holds the providers.
type Telemetry struct {
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Gatherer shows all metrics to Prometheus; nil without the bridge.
	Gatherer prometheus.Gatherer

	shutdown []func(context.Context) error
}

// goroutinesView gives the one runtime metric whose name Prometheus keeps for histograms the name it has there.
var goroutinesView = sdkmetric.NewView(sdkmetric.Instrument{Name: "go.goroutine.count"}, sdkmetric.Stream{Name: "go.goroutines"})

// New builds the providers. Spans go nowhere.
func New(ctx context.Context, o Options) (*Telemetry, error) {
	t := &Telemetry{TracerProvider: nooptrace.NewTracerProvider()}
	res, err := newResource(ctx, o.Build)
	if err != nil { // what could not be read is left out (OpenTelemetry specification, Environment Variables)
		o.Logger.WarnContext(ctx, "telemetry resource is incomplete", "error", err)
	}
	options := []sdkmetric.Option{sdkmetric.WithResource(res), sdkmetric.WithView(goroutinesView)}
	if o.Prometheus {
		reader, gatherer, err := newBridge()
		if err != nil {
			return nil, err
		}
		t.Gatherer = gatherer
		options = append(options, sdkmetric.WithReader(reader))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	t.MeterProvider = provider
	t.shutdown = append(t.shutdown, provider.Shutdown)
	if err := runtime.Start(runtime.WithMeterProvider(provider)); err != nil {
		return nil, fmt.Errorf("start Go runtime metrics: %w", err)
	}
	return t, o.Build.register(provider)
}

// Shutdown hands out what is left and ends the providers; ctx bounds it. A second call finds nothing to do.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	for _, shutdown := range t.shutdown {
		errs = append(errs, shutdown(ctx))
	}
	t.shutdown = nil
	return errors.Join(errs...)
}

// newBridge returns the reader that turns OpenTelemetry metrics into Prometheus ones, and where they are gathered,
// together with those of the process.
func newBridge() (sdkmetric.Reader, prometheus.Gatherer, error) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})); err != nil {
		return nil, nil, fmt.Errorf("register process metrics: %w", err)
	}
	// Without scope labels: the names are unique, and the labels would double the size of every scrape.
	reader, err := bridge.New(bridge.WithRegisterer(registry), bridge.WithoutScopeInfo())
	if err != nil {
		return nil, nil, fmt.Errorf("build the Prometheus bridge: %w", err)
	}
	return reader, registry, nil
}

// newResource describes the process; OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME win over the defaults. With an
// error it returns what is known all the same.
func newResource(ctx context.Context, b Build) (*resource.Resource, error) {
	return resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithAttributes(semconv.ServiceName("signal-sidecar"), semconv.ServiceVersion(b.Version)),
		resource.WithFromEnv())
}
