package main_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestOpenTelemetryWordsInAnyCase starts the sidecar with words that the SDK accepts only in lower case.
func TestOpenTelemetryWordsInAnyCase(t *testing.T) {
	t.Parallel()
	common := vars{
		"OTEL_EXPORTER_OTLP_COMPRESSION": "GZip", "OTEL_TRACES_SAMPLER": "Always_On",
		"OTEL_METRICS_EXEMPLAR_FILTER": "Always_OFF",
		"OTEL_EXPORTER_OTLP_INSECURE":  "TRUE", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "Delta",
	}
	for protocol, exporter := range map[string]string{
		"GRPC": "OTLP", "HTTP/Protobuf": " Otlp", "grpc": "Console", "http/protobuf": "NONE",
	} {
		startSidecar(t, common.With(vars{
			"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_TRACES_EXPORTER": exporter,
			"OTEL_METRICS_EXPORTER": exporter, "OTEL_LOGS_EXPORTER": exporter,
		}))
	}
}

// TestDefaultOTLPEndpoint exports without an endpoint, which is to port 4318.
func TestDefaultOTLPEndpoint(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:4318")
	if err != nil {
		t.Skip("port 4318 is in use")
	}
	paths := make(chan string, 100)
	collector := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case paths <- r.URL.Path:
		default:
		}
	})}
	served := make(chan error, 1)
	go func() { served <- collector.Serve(listener) }()
	t.Cleanup(func() { _ = collector.Close(); <-served })
	startSidecar(t, vars{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_SCHEDULE_DELAY": "10"})
	select {
	case path := <-paths:
		if path != "/v1/traces" {
			t.Errorf("pushed to %s", path)
		}
	case <-time.After(bound):
		t.Error("nothing came to port 4318")
	}
}

// TestOpenTelemetryDisabled checks that only the value true disables the SDK, as its specification requires.
func TestOpenTelemetryDisabled(t *testing.T) {
	t.Parallel()
	disabled := startSidecar(t, vars{"OTEL_SDK_DISABLED": "True", "OTEL_TRACES_EXPORTER": "otlp"})
	if v := disabled.Metric(`signal_otlp_items_total{result="failed",signal="traces"}`); v != "" {
		t.Errorf("disabled, but spans are counted: %q", v)
	}
	enabled := startSidecar(t, vars{"OTEL_SDK_DISABLED": "1", "OTEL_TRACES_EXPORTER": "otlp"})
	if v := enabled.Metric(`signal_otlp_items_total{result="failed",signal="traces"}`); v == "" {
		t.Error("1 disables, but only true may")
	}
}

// TestOpenTelemetrySecrets checks that a failing export logs no secret.
func TestOpenTelemetrySecrets(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	s := startSidecar(t, vars{
		"LOG_LEVEL": "debug", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:" + secret + "@127.0.0.1:9",
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=" + secret, "OTEL_BSP_SCHEDULE_DELAY": "10",
	})
	testbed.Eventually(t, "an export to fail", bound, func() bool {
		return len(s.Logged("telemetry export began to fail")) > 0
	})
	if out := s.Stdout() + s.Stderr(); strings.Contains(out, secret) {
		t.Errorf("logged the secret:\n%s", out)
	}
	if text := s.Stderr(); text != "" {
		t.Errorf("on standard error:\n%s", text)
	}
}
