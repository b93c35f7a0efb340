package otel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// newTestLedger returns a ledger that logs nothing.
func newTestLedger(signal string) *ledger {
	return &ledger{signal: signal, log: slog.New(slog.DiscardHandler)}
}

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

// clearExport takes everything out of the environment that has something exported.
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

// A ledger logs when its export begins to fail and when it works again, not at every batch.
func TestLedgerLogsWhatChanges(t *testing.T) {
	var log bytes.Buffer
	l := &ledger{signal: "traces", log: slog.New(slog.NewJSONHandler(&log, nil))}
	refused := errors.New("refused")
	l.dropped.Add(5)
	for _, err := range []error{nil, refused, refused, nil, nil, refused} {
		l.settle(10, err)
	}
	var got []string
	for line := range strings.Lines(log.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(e["level"], ": ", e["msg"], ", ", e["signal"], " ", e["error"], " ", e["failed"], " ", e["dropped"]))
	}
	want := []string{
		"WARN: telemetry export began to fail, traces refused <nil> <nil>",
		"INFO: telemetry export works again, traces <nil> 20 5",
		"WARN: telemetry export began to fail, traces refused <nil> <nil>",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("logged\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLedgersAsMetrics(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	traces, logs := newTestLedger("traces"), newTestLedger("logs")
	if err := register(provider.Meter(scope), []*ledger{traces, logs}); err != nil {
		t.Fatal(err)
	}
	traces.settle(3, nil)
	traces.settle(4, errors.New("refused"))
	logs.dropped.Add(5)
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &collected); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, point := range collected.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints {
		signal, _ := point.Attributes.Value("signal")
		result, _ := point.Attributes.Value("result")
		got[signal.AsString()+" "+result.AsString()] = point.Value
	}
	want := map[string]int64{
		"traces exported": 3, "traces failed": 4, "traces dropped": 0, "logs exported": 0, "logs failed": 0, "logs dropped": 5,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
