package otel

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/testbed/metrics"
)

// targetInfo returns the labels of target_info: the attributes of the resource.
func targetInfo(t *testing.T, p *Providers) map[string]string {
	t.Helper()
	family := metrics.Gather(t, p.Gatherer)["target_info"]
	if len(family.GetMetric()) != 1 {
		t.Fatalf("target_info is %v", family)
	}
	all := map[string]string{}
	for _, pair := range family.GetMetric()[0].GetLabel() {
		all[pair.GetName()] = pair.GetValue()
	}
	return all
}

// TestResource checks the defaults, and that the standard variables override them (OpenTelemetry specification,
// resource SDK).
func TestResource(t *testing.T) {
	for name, test := range map[string]struct {
		attributes, service string
		want                map[string]string
	}{
		"defaults": {"", "", map[string]string{
			"service_name": "signal-sidecar", "service_version": "v1.2.3", "telemetry_sdk_language": "go"}},
		"attributes": {"deployment.environment.name=prod,shard=s%201", "", map[string]string{
			"service_name": "signal-sidecar", "deployment_environment_name": "prod", "shard": "s 1"}},
		"service name": {"", "shard-7", map[string]string{"service_name": "shard-7"}},
		"service name in attributes": {"service.name=a,service.version=9", "", map[string]string{
			"service_name": "a", "service_version": "9"}},
		"service name beats the list": {"service.name=a", "b", map[string]string{"service_name": "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", test.attributes)
			t.Setenv("OTEL_SERVICE_NAME", test.service)
			log := new(testbed.LogBuffer)
			got := targetInfo(t, newProviders(t, log))
			for label, value := range test.want {
				if got[label] != value {
					t.Errorf("%s is %q, want %q: %v", label, got[label], value, got)
				}
			}
			if got["host_name"] == "" {
				t.Errorf("no host_name: %v", got)
			}
			if log.String() != "" {
				t.Errorf("the log is %s", log)
			}
		})
	}
}

// TestMalformedResourceAttributes checks that they cause only a warning, and that the known attributes are kept.
func TestMalformedResourceAttributes(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "environment:prod")
	t.Setenv("OTEL_SERVICE_NAME", "shard-7")
	log := new(testbed.LogBuffer)
	got := targetInfo(t, newProviders(t, log))
	if got["service_version"] != "v1.2.3" || got["telemetry_sdk_language"] != "go" {
		t.Errorf("target_info is %v", got)
	}
	if got["service_name"] != "shard-7" {
		t.Errorf("OTEL_SERVICE_NAME is lost: %v", got)
	}
	var line struct{ Level, Msg string }
	err := json.Unmarshal([]byte(log.String()), &line)
	if err != nil || line.Level != "WARN" || line.Msg != "telemetry resource is incomplete" {
		t.Errorf("the log is %s", log)
	}
}

// TestProcessAndRuntime checks that there are metrics of the process, the runtime and the build.
func TestProcessAndRuntime(t *testing.T) {
	families := metrics.Gather(t, newProviders(t, io.Discard).Gatherer)
	for _, name := range []string{
		"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
		"go_goroutines", "go_memory_used_bytes",
	} {
		if families[name] == nil {
			t.Errorf("%s is absent", name)
		}
	}
	builds := families["signal_build_info"].GetMetric()
	if len(builds) != 1 || builds[0].GetGauge().GetValue() != 1 {
		t.Fatalf("the build is %v", builds)
	}
	labels := map[string]string{}
	for _, pair := range builds[0].GetLabel() {
		labels[pair.GetName()] = pair.GetValue()
	}
	want := map[string]string{"goversion": "go1.26", "revision": "abc", "version": "v1.2.3"}
	if !maps.Equal(labels, want) {
		t.Errorf("the build has labels %v, want %v", labels, want)
	}
}

// TestShutdownTwice checks that a second Shutdown and a later scrape do no harm.
func TestShutdownTwice(t *testing.T) {
	p := newProviders(t, io.Discard)
	for range 2 {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	}
	if _, err := p.Gatherer.Gather(); err != nil {
		t.Errorf("a late scrape: %v", err)
	}
}

// TestReadBuild checks what a test binary contains about its build.
func TestReadBuild(t *testing.T) {
	if b := ReadBuild(); b.Version == "" || !strings.HasPrefix(b.GoVersion, "go1.") {
		t.Errorf("the build is %+v", b)
	}
}
