package otel

import "testing"

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
