package otel

import (
	"context"
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	processbridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	bridge "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// goroutinesView renames the one runtime metric whose name Prometheus reserves for histograms. The new name is the one
// that Prometheus uses.
var goroutinesView = sdkmetric.NewView(
	sdkmetric.Instrument{Name: "go.goroutine.count"}, sdkmetric.Stream{Name: "go.goroutines"})

// newBridge returns a reader that turns OpenTelemetry metrics into Prometheus ones, and the registry that gathers them
// together with those of the process. Histograms have classic buckets in every format.
func newBridge() (sdkmetric.Reader, prometheus.Gatherer, error) {
	registry := newProcessRegistry()
	// Without scope labels: the names are unique, and the labels would double the size of every scrape.
	reader, err := bridge.New(bridge.WithRegisterer(registry), bridge.WithoutScopeInfo())
	if err != nil {
		return nil, nil, fmt.Errorf("build the Prometheus bridge: %w", err)
	}
	return reader, registry, nil
}

// newProcessRegistry returns a registry with the metrics of this process. Without /proc it has none.
func newProcessRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// newPushReader returns the reader that pushes metrics. For OTLP its exports are counted and include the metrics of the
// process. Other exporters are those of autoexport.
func newPushReader(ctx context.Context, count *exportCount) (sdkmetric.Reader, error) {
	if exporter := os.Getenv("OTEL_METRICS_EXPORTER"); exporter != "" && exporter != "otlp" {
		return autoexport.NewMetricReader(ctx)
	}
	exporter, err := newMetricExporter(ctx)
	if err != nil {
		return nil, err
	}
	process := processbridge.NewMetricProducer(processbridge.WithGatherer(newProcessRegistry()))
	return sdkmetric.NewPeriodicReader(countedMetricExporter{exporter, count}, sdkmetric.WithProducer(process)), nil
}

func newMetricExporter(ctx context.Context) (sdkmetric.Exporter, error) {
	protocol := os.Getenv("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL")
	if protocol == "" {
		protocol = os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	switch protocol {
	case "grpc":
		return otlpmetricgrpc.New(ctx)
	case "", "http/protobuf":
		return otlpmetrichttp.New(ctx)
	default:
		return nil, fmt.Errorf("protocol %q is none of grpc, http/protobuf", protocol)
	}
}
