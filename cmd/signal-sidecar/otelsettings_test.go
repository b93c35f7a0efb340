package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestBadOpenTelemetryVariables: each is exit 2 and one line that names variable, origin and what is accepted.
func TestBadOpenTelemetryVariables(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for name, bad := range map[string]struct{ value, accepted string }{
		"OTEL_TRACES_EXPORTER":                         {"bogus", "one of otlp, console, none"},
		"OTEL_METRICS_EXPORTER":                        {"bogus", "one of otlp, console, prometheus, none"},
		"OTEL_LOGS_EXPORTER":                           {"bogus", "one of otlp, console, none"},
		"OTEL_TRACES_SAMPLER":                          {"bogus", "one of always_on, always_off, traceidratio"},
		"OTEL_EXPORTER_OTLP_PROTOCOL":                  {"bogus", "one of grpc, http/protobuf"},
		"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL":             {"http/json", "one of grpc, http/protobuf"},
		"OTEL_EXPORTER_OTLP_ENDPOINT":                  {"collector:4318", "a URL"},
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":           {"http://", "a URL"},
		"OTEL_EXPORTER_OTLP_CERTIFICATE":               {missing, "a file that can be read"},
		"OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY":        {missing, "a file that can be read"},
		"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": {missing, "a file that can be read"},
	} {
		for _, command := range []string{"check-config", "serve"} {
			r := run(t, vars{name: bad.value}, command)
			problems := r.problems()
			if r.code != 2 || len(problems) != 1 {
				t.Fatalf("%s=%s %s: exit %d\n%s", name, bad.value, command, r.code, r.stderr)
			}
			for _, part := range []string{name, bad.value, "(environment)", bad.accepted} {
				if !strings.Contains(problems[0], part) {
					t.Errorf("%s does not say %q", problems[0], part)
				}
			}
		}
	}
	r := run(t, vars{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"}, "check-config")
	if r.code != 2 || !strings.Contains(r.stderr, "OTEL_TRACES_SAMPLER_ARG") {
		t.Errorf("a ratio of 2: exit %d\n%s", r.code, r.stderr)
	}
}

// TestOpenTelemetrySecrets: what may hold a secret is never printed, good or bad.
func TestOpenTelemetrySecrets(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	for _, v := range []vars{
		{"OTEL_EXPORTER_OTLP_HEADERS": secret},
		{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=%zz" + secret},
		{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=" + secret},
		{"OTEL_EXPORTER_OTLP_LOGS_HEADERS": "=" + secret},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:" + secret + "@127.0.0.1:9"},
		{"CONSUL_HTTP_TOKEN": secret},
	} {
		r := run(t, v, "check-config")
		if strings.Contains(r.stdout+r.stderr, secret) {
			t.Errorf("%v: printed\n%s%s", v, r.stdout, r.stderr)
		}
	}
	s := startSidecar(t, vars{
		"LOG_LEVEL": "debug", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:" + secret + "@127.0.0.1:9",
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=" + secret, "OTEL_BSP_SCHEDULE_DELAY": "10",
	})
	testbed.Eventually(t, "an export to fail", bound, func() bool { return len(s.Logged("telemetry export began to fail")) > 0 })
	if out := s.Stdout() + s.Stderr(); strings.Contains(out, secret) {
		t.Errorf("logged the secret:\n%s", out)
	}
	if text := s.Stderr(); text != "" {
		t.Errorf("on standard error:\n%s", text)
	}
}
