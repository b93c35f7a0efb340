package otel

import (
	"strings"
	"testing"
)

func TestExporting(t *testing.T) {
	const endpoint = "http://127.0.0.1:4318"
	for _, test := range []struct {
		variables string
		want      string // the signals that are pushed
	}{
		{"", ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, "TRACES METRICS LOGS"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + endpoint, "TRACES"},
		{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=" + endpoint, "METRICS"},
		{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=" + endpoint, "LOGS"},
		{"OTEL_TRACES_EXPORTER=otlp", "TRACES"},
		{"OTEL_METRICS_EXPORTER=console", "METRICS"},
		{"OTEL_LOGS_EXPORTER=none", ""},
		{"OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, "METRICS LOGS"},
		{"OTEL_METRICS_EXPORTER=none OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=" + endpoint, ""},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", ""},
		{"OTEL_SDK_DISABLED=false OTEL_LOGS_EXPORTER=otlp", "LOGS"},
		{"OTEL_SDK_DISABLED=true OTEL_LOGS_EXPORTER=otlp OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, ""},
		{"OTEL_SDK_DISABLED=TRUE OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, ""},
		{"OTEL_SDK_DISABLED=perhaps OTEL_LOGS_EXPORTER=otlp", "LOGS"},
	} {
		t.Run(test.variables, func(t *testing.T) {
			clearExport(t)
			for _, variable := range strings.Fields(test.variables) {
				name, value, _ := strings.Cut(variable, "=")
				t.Setenv(name, value)
			}
			var got []string
			for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
				if exporting(signal) {
					got = append(got, signal)
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("pushed are %v, want %s", got, test.want)
			}
		})
	}
}

// clearExport unsets the variables that turn an export on.
func clearExport(t *testing.T) {
	t.Helper()
	for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		t.Setenv(name, "")
	}
	for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
		t.Setenv("OTEL_"+signal+"_EXPORTER", "")
		t.Setenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT", "")
		t.Setenv("OTEL_EXPORTER_OTLP_"+signal+"_PROTOCOL", "")
	}
}
