package otel

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	collogpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetricpb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// partialReplies returns the reply of an OTLP backend to each path: it has accepted a batch but for some items.
func partialReplies(rejected int64, message string) map[string]proto.Message {
	return map[string]proto.Message{
		"/v1/traces": &coltracepb.ExportTraceServiceResponse{PartialSuccess: &coltracepb.ExportTracePartialSuccess{
			RejectedSpans: rejected, ErrorMessage: message,
		}},
		"/v1/logs": &collogpb.ExportLogsServiceResponse{PartialSuccess: &collogpb.ExportLogsPartialSuccess{
			RejectedLogRecords: rejected, ErrorMessage: message,
		}},
		"/v1/metrics": &colmetricpb.ExportMetricsServiceResponse{PartialSuccess: &colmetricpb.ExportMetricsPartialSuccess{
			RejectedDataPoints: rejected, ErrorMessage: message,
		}},
	}
}

// TestPartialSuccess checks with the real exporters that a batch with a warning counts as exported, and that only the
// items that the backend rejected count as failed.
func TestPartialSuccess(t *testing.T) {
	for _, c := range []struct {
		rejected int64
		want     string // exported and failed: spans, log records, collections
		log      string
	}{
		{0, "5 0, 5 0, 1 0", "telemetry backend accepts the data with a warning"},
		{2, "3 2, 3 2, 0 1", "telemetry export began to fail"},
		{100, "0 5, 0 5, 0 1", "telemetry export began to fail"},
		{-1, "5 0, 5 0, 1 0", "telemetry backend accepts the data with a warning"},
	} {
		t.Run(fmt.Sprint(c.rejected), func(t *testing.T) {
			replies := partialReplies(c.rejected, "deprecated attribute")
			backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "application/x-protobuf")
				reply, _ := proto.Marshal(replies[r.URL.Path])
				_, _ = w.Write(reply)
			}))
			defer backend.Close()
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", backend.URL)
			log := new(testbed.LogBuffer)
			p, err := New(t.Context(), Options{Log: slog.NewTextHandler(log, nil)})
			testbed.Must(t, err)
			for range 5 {
				_, span := p.TracerProvider.Tracer("test").Start(t.Context(), "test")
				span.End()
				p.Logger.Info("test")
			}
			_ = p.Shutdown(t.Context()) // the metric exporter returns the partial success
			var got []string
			for _, count := range p.counts {
				got = append(got, fmt.Sprint(count.exported.Load(), count.failed.Load()))
			}
			if counted := strings.Join(got, ", "); counted != c.want {
				t.Errorf("counted %s, want %s", counted, c.want)
			}
			if n := strings.Count(log.String(), c.log); n != 3 {
				t.Errorf("%q is logged %d times: %s", c.log, n, log)
			}
		})
	}
}
