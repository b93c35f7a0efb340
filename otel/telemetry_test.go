package otel_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/otel"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// targetInfo returns the labels of target_info: what telemetry says about the process.
func targetInfo(t *testing.T, telemetry *otel.Telemetry) map[string]string {
	t.Helper()
	family := (&stage{Telemetry: telemetry}).gather(t)["target_info"]
	if len(family.GetMetric()) != 1 {
		t.Fatalf("target_info is %v", family)
	}
	all := map[string]string{}
	for _, pair := range family.GetMetric()[0].GetLabel() {
		all[pair.GetName()] = pair.GetValue()
	}
	return all
}

// TestResource: the defaults, and that the standard variables win over them (OpenTelemetry specification, resource SDK).
func TestResource(t *testing.T) {
	for name, test := range map[string]struct {
		attributes, service string
		want                map[string]string
	}{
		"defaults": {"", "", map[string]string{"service_name": "signal-sidecar", "service_version": "v1.2.3", "telemetry_sdk_language": "go"}},
		"attributes": {"deployment.environment.name=prod,shard=s%201", "", map[string]string{
			"service_name": "signal-sidecar", "deployment_environment_name": "prod", "shard": "s 1"}},
		"service name":                {"", "shard-7", map[string]string{"service_name": "shard-7"}},
		"service name in attributes":  {"service.name=a,service.version=9", "", map[string]string{"service_name": "a", "service_version": "9"}},
		"service name beats the list": {"service.name=a", "b", map[string]string{"service_name": "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", test.attributes)
			t.Setenv("OTEL_SERVICE_NAME", test.service)
			log := new(testbed.LogBuffer)
			got := targetInfo(t, newTelemetry(t, log))
			for label, value := range test.want {
				if got[label] != value {
					t.Errorf("%s is %q, want %q: %v", label, got[label], value, got)
				}
			}
			if got["host_name"] == "" {
				t.Errorf("no host_name: %v", got)
			}
			if log.String() != "" {
				t.Errorf("the log says %s", log)
			}
		})
	}
}

// TestMalformedResourceAttributes: only a warning; what is known is kept, so that a typo does not take a node down.
func TestMalformedResourceAttributes(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "environment:prod")
	t.Setenv("OTEL_SERVICE_NAME", "shard-7")
	log := new(testbed.LogBuffer)
	got := targetInfo(t, newTelemetry(t, log))
	if got["service_version"] != "v1.2.3" || got["telemetry_sdk_language"] != "go" {
		t.Errorf("target_info is %v", got)
	}
	if got["service_name"] != "shard-7" {
		t.Errorf("OTEL_SERVICE_NAME is lost: %v", got)
	}
	if lines := entries(t, log, "telemetry resource is incomplete"); len(lines) != 1 || lines[0]["level"] != "WARN" {
		t.Errorf("the log says %s", log)
	}
}

// TestWithoutPrometheus: nothing to gather from, and metrics can be recorded all the same.
func TestWithoutPrometheus(t *testing.T) {
	telemetry, err := otel.New(t.Context(), otel.Options{Log: slog.DiscardHandler})
	if err != nil {
		t.Fatal(err)
	}
	if telemetry.Gatherer != nil {
		t.Error("there is a Gatherer")
	}
	verdicts, err := otel.NewVerdicts(telemetry)
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, rules)
	if err := verdicts.Watch(s.Monitor); err != nil {
		t.Error(err)
	}
	s.upReady(t.Context())
	current := s.Current()
	verdicts.Listen(t.Context(), health.Step{At: current.At, Changes: []health.Change{{At: current.At, To: current.Verdict}}}, current)
	if err := telemetry.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestShutdownTwice is harmless, whatever is still asked for afterwards.
func TestShutdownTwice(t *testing.T) {
	telemetry, err := otel.New(t.Context(), otel.Options{Prometheus: true, Log: slog.DiscardHandler})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := telemetry.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	}
	if _, err := telemetry.Gatherer.Gather(); err != nil {
		t.Errorf("a late scrape: %v", err)
	}
}

// TestReadBuild: what a test binary knows of itself.
func TestReadBuild(t *testing.T) {
	if b := otel.ReadBuild(); b.Version == "" || !strings.HasPrefix(b.GoVersion, "go1.") {
		t.Errorf("the build is %+v", b)
	}
}
