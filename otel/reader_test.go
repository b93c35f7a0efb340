package otel

import (
	"context"
	"errors"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// metricBackend takes or refuses what it is sent.
type metricBackend struct {
	sdkmetric.Exporter
	err error
}

func (m *metricBackend) Export(context.Context, *metricdata.ResourceMetrics) error { return m.err }

func TestCollectionsAreCounted(t *testing.T) {
	backend, l := new(metricBackend), newTestLedger("metrics")
	s := &settlingMetrics{backend, l}
	for _, backend.err = range []error{nil, errors.New("refused"), nil} {
		if err := s.Export(t.Context(), nil); !errors.Is(err, backend.err) {
			t.Errorf("error %v, want %v", err, backend.err)
		}
	}
	if l.exported.Load() != 2 || l.failed.Load() != 1 {
		t.Errorf("%d exported, %d failed", l.exported.Load(), l.failed.Load())
	}
}

func TestProtocolOfMetrics(t *testing.T) {
	for _, test := range []struct {
		all, metrics string
		fails        bool
	}{
		{"", "", false}, {"grpc", "", false}, {"http/protobuf", "", false}, {"carrier pigeon", "", true},
		{"carrier pigeon", "grpc", false}, {"grpc", "carrier pigeon", true},
	} {
		t.Run(test.all+","+test.metrics, func(t *testing.T) {
			clearExport(t)
			t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", test.all)
			t.Setenv("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", test.metrics)
			exporter, err := newMetricExporter(t.Context())
			if (err != nil) != test.fails {
				t.Fatalf("error %v", err)
			}
			if err == nil {
				_ = exporter.Shutdown(t.Context())
			}
		})
	}
}
