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

// newTestCount returns a count that logs nothing.
func newTestCount(signal string) *exportCount {
	return &exportCount{signal: signal, log: slog.New(slog.DiscardHandler)}
}

// TestFailureIsLoggedOnce checks that an export is logged when it begins to fail and when it works again, not at every
// batch.
func TestFailureIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	c := &exportCount{signal: "traces", log: slog.New(slog.NewJSONHandler(&log, nil))}
	refused := errors.New("refused")
	c.dropped.Add(5)
	for _, err := range []error{nil, refused, refused, nil, nil, refused} {
		c.done(10, err)
	}
	var got []string
	for line := range strings.Lines(log.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%v: %v, %v %v %v %v",
			e["level"], e["msg"], e["signal"], e["error"], e["failed"], e["dropped"]))
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

func TestCountsAsMetrics(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	traces, logs := newTestCount("traces"), newTestCount("logs")
	if err := registerExportCounts(provider.Meter(scope), []*exportCount{traces, logs}); err != nil {
		t.Fatal(err)
	}
	traces.done(3, nil)
	traces.done(4, errors.New("refused"))
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
		"traces exported": 3, "traces failed": 4, "traces dropped": 0,
		"logs exported": 0, "logs failed": 0, "logs dropped": 5,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
