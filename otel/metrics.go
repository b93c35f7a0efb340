package otel

import (
	"context"
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	bridge "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// goroutinesView gives the one runtime metric whose name Prometheus keeps for histograms the name it has there.
var goroutinesView = sdkmetric.NewView(sdkmetric.Instrument{Name: "go.goroutine.count"}, sdkmetric.Stream{Name: "go.goroutines"})

// newBridge returns a reader that turns OpenTelemetry metrics into Prometheus ones, and where they are gathered, together
// with those of the process.
func newBridge(options ...bridge.Option) (sdkmetric.Reader, prometheus.Gatherer, error) {
	registry := prometheus.NewRegistry()
	if process, err := newProcess(); err == nil { // without /proc there are none
		registry.MustRegister(process)
	}
	// Without scope labels: the names are unique, and the labels would double the size of every scrape.
	reader, err := bridge.New(append(options, bridge.WithRegisterer(registry), bridge.WithoutScopeInfo())...)
	if err != nil {
		return nil, nil, fmt.Errorf("build the Prometheus bridge: %w", err)
	}
	return reader, registry, nil
}

// nativeHistograms has histograms aggregated in exponential buckets, which Prometheus calls native.
func nativeHistograms(kind sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	if kind == sdkmetric.InstrumentKindHistogram {
		return sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 40, MaxScale: 8}
	}
	return sdkmetric.DefaultAggregationSelector(kind)
}

// newPushReader returns the reader that pushes metrics. It is autoexport's but for OTLP, whose exporter is counted.
func newPushReader(ctx context.Context, l *ledger) (sdkmetric.Reader, error) {
	if exporter := os.Getenv("OTEL_METRICS_EXPORTER"); exporter != "" && exporter != "otlp" {
		return autoexport.NewMetricReader(ctx)
	}
	exporter, err := newMetricExporter(ctx)
	if err != nil {
		return nil, err
	}
	return sdkmetric.NewPeriodicReader(&settlingMetrics{exporter, l}), nil
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

// settlingMetrics counts what became of each collection.
type settlingMetrics struct {
	sdkmetric.Exporter
	ledger *ledger
}

// Export implements sdkmetric.Exporter.
func (s *settlingMetrics) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	err := s.Exporter.Export(ctx, rm)
	s.ledger.settle(1, err)
	return err
}
