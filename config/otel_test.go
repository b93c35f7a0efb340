package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// badTelemetry returns values of OTEL_* that are rejected, and what the error must list as accepted.
func badTelemetry(t *testing.T) map[string]struct{ value, accepted string } {
	missing, text := filepath.Join(t.TempDir(), "missing.pem"), testbed.Write(t, t.TempDir(), "text", "no certificate")
	return map[string]struct{ value, accepted string }{
		"OTEL_TRACES_EXPORTER":                                     {"bogus", "one of otlp, console, none"},
		"OTEL_METRICS_EXPORTER":                                    {"bogus", "one of otlp, console, prometheus, none"},
		"OTEL_LOGS_EXPORTER":                                       {"otlp,console", "one of otlp, console, none"},
		"OTEL_TRACES_SAMPLER":                                      {"bogus", "one of always_on, always_off, traceidratio"},
		"OTEL_EXPORTER_OTLP_PROTOCOL":                              {"bogus", "one of grpc, http/protobuf"},
		"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL":                         {"http/json", "one of grpc, http/protobuf"},
		"OTEL_EXPORTER_OTLP_ENDPOINT":                              {"collector:4318", "a URL"},
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":                       {"http://", "a URL"},
		"OTEL_EXPORTER_OTLP_CERTIFICATE":                           {missing, "a file that can be read"},
		"OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE":                      {text, "a PEM file that holds a certificate"},
		"OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY":                    {missing, "a file that can be read"},
		"OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY":                       {text, "set together with its counterpart"},
		"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE":             {missing, "a file that can be read"},
		"OTEL_EXPORTER_OTLP_COMPRESSION":                           {"zstd", "one of gzip, none"},
		"OTEL_EXPORTER_OTLP_LOGS_COMPRESSION":                      {"deflate", "one of gzip, none"},
		"OTEL_EXPORTER_OTLP_TIMEOUT":                               {"10s", "milliseconds, a whole number"},
		"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT":                       {"0", "milliseconds, a whole number"},
		"OTEL_EXPORTER_OTLP_INSECURE":                              {"yes", "one of true, false"},
		"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE":        {"deltas", "one of cumulative, delta, lowmemory"},
		"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": {"exponential", "one of explicit_bucket_histogram, "},
		"OTEL_METRIC_EXPORT_INTERVAL":                              {"1m", "milliseconds, a whole number"},
		"OTEL_METRIC_EXPORT_TIMEOUT":                               {"-1", "milliseconds, a whole number"},
		"OTEL_METRICS_EXEMPLAR_FILTER": {"sometimes",
			"one of always_on, always_off, trace_based"},
		"OTEL_BSP_SCHEDULE_DELAY":         {"5s", "milliseconds, a whole number"},
		"OTEL_BSP_MAX_QUEUE_SIZE":         {"0", "a whole number from 1"},
		"OTEL_BLRP_EXPORT_TIMEOUT":        {"1.5", "milliseconds, a whole number"},
		"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": {"1000001", "a whole number from 1 to 1000000"},
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": {"-2", "a whole number from 0"},
		"OTEL_RESOURCE_ATTRIBUTES":        {"jitsi.shard", "key=value pairs"},
	}
}

// TestBadOpenTelemetryVariables checks that each bad value is one problem that names the variable, the value, the
// origin and what is accepted.
func TestBadOpenTelemetryVariables(t *testing.T) {
	for name, bad := range badTelemetry(t) {
		_, _, err := load(t, t.TempDir(), vars{name: bad.value})
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s=%s: %v", name, bad.value, err)
			continue
		}
		for _, part := range []string{name + "=", bad.value, "(environment)", bad.accepted} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v does not contain %q", err, part)
			}
		}
	}
	for _, v := range []vars{
		{"OTEL_TRACES_SAMPLER": "TraceIDRatio", "OTEL_TRACES_SAMPLER_ARG": "2"},
		{"OTEL_RESOURCE_ATTRIBUTES": "größe=1"}, {"OTEL_RESOURCE_ATTRIBUTES": "a b=1"}, {"OTEL_RESOURCE_ATTRIBUTES": "a=%zz"},
		{"OTEL_RESOURCE_ATTRIBUTES": "a=%ff"}, {"OTEL_RESOURCE_ATTRIBUTES": "=1"}, {"OTEL_RESOURCE_ATTRIBUTES": "a=1,,b=2"},
		{"OTEL_EXPORTER_OTLP_HEADERS": "a b=1"}, {"OTEL_EXPORTER_OTLP_HEADERS": "a:b=1"},
		{"OTEL_EXPORTER_OTLP_HEADERS": "a=%0a"},
		{"OTEL_SERVICE_NAME": "\xff"},
	} {
		expectProblems(t, t.TempDir(), v, nil, "OTEL_")
	}
}

// keyPair writes a certificate and its key, and returns their paths.
func keyPair(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	testbed.Must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	testbed.Must(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	testbed.Must(t, err)
	folder := t.TempDir()
	return testbed.Write(t, folder, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}))),
		testbed.Write(t, folder, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})))
}

// TestOpenTelemetryKeyPairs checks that a certificate and a key must match.
func TestOpenTelemetryKeyPairs(t *testing.T) {
	certificate, key := keyPair(t)
	_, other := keyPair(t)
	const certificateName, keyName = "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY"
	for _, c := range []struct{ certificate, key, problem string }{
		{certificate, key, ""},
		{certificate, other, certificateName + "="},
		{key, certificate, certificateName + "="},
		{certificate, "", certificateName + "="},
	} {
		v := vars{certificateName: c.certificate, keyName: c.key, "OTEL_EXPORTER_OTLP_CERTIFICATE": certificate}
		if c.problem != "" {
			expectProblems(t, t.TempDir(), v, nil, c.problem)
		} else if _, _, err := load(t, t.TempDir(), v); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestDefaultOTLPEndpoint sets exporters without an endpoint.
func TestDefaultOTLPEndpoint(t *testing.T) {
	const traces, metrics, logs = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
		"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
	all, _ := checkConfig(t, t.TempDir(), vars{
		"OTEL_TRACES_EXPORTER": "OTLP", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "GRPC",
	})
	if all[traces] != (shown{"http://localhost:4318/v1/traces", "default"}) ||
		all[metrics] != (shown{"http://localhost:4317", "default"}) ||
		all[logs] != (shown{}) {
		t.Errorf("without endpoints: %v, %v, %v", all[traces], all[metrics], all[logs])
	}
	all, _ = checkConfig(t, t.TempDir(), vars{
		"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
	})
	if _, found := all[traces]; found {
		t.Errorf("with an endpoint of all signals: %v", all[traces])
	}
}

// TestOpenTelemetryNotices checks the notices about variables that do not have the effect that a user expects.
func TestOpenTelemetryNotices(t *testing.T) {
	for _, c := range []struct{ name, value, notice string }{
		{"OTEL_SDK_DISABLED", "1", "only true does"},
		{"OTEL_SDK_DISABLED", "yes", "only true does"},
		{"OTEL_SDK_DISABLED", "TRUE", ""},
		{"OTEL_SDK_DISABLED", "False", ""},
		{"OTEL_PROPAGATORS", "b3", "tracecontext"},
		{"OTEL_PROPAGATORS", "tracecontext,jaeger", "tracecontext"},
		{"OTEL_PROPAGATORS", "none", "tracecontext"},
		{"OTEL_PROPAGATORS", "TraceContext, baggage", ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:hunter2@collector", "OTEL_EXPORTER_OTLP_HEADERS"},
	} {
		_, notices := checkConfig(t, t.TempDir(), vars{c.name: c.value})
		switch {
		case c.notice == "" && len(notices) > 0, c.notice != "" && len(notices) != 1:
			t.Errorf("%s=%s: notices %q", c.name, c.value, notices)
		case c.notice != "" && (!strings.Contains(notices[0], c.name+"=") ||
			!strings.Contains(notices[0], c.notice) ||
			strings.Contains(notices[0], "hunter2")):
			t.Errorf("%s=%s: notice %q", c.name, c.value, notices[0])
		}
	}
}

// TestOpenTelemetrySecrets checks that a value that can contain a secret is never printed, whether it is valid or not.
func TestOpenTelemetrySecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, v := range []vars{
		{"OTEL_EXPORTER_OTLP_HEADERS": secret},
		{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=%zz" + secret},
		{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=" + secret},
		{"OTEL_EXPORTER_OTLP_LOGS_HEADERS": "=" + secret},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:" + secret + "@127.0.0.1:9"},
		{"CONSUL_HTTP_TOKEN": secret},
	} {
		_, printed, err := load(t, t.TempDir(), v)
		if text := fmt.Sprint(printed, err); strings.Contains(text, secret) {
			t.Errorf("%v: printed\n%s", v, text)
		}
	}
}
