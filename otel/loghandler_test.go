package otel

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

// logged returns the JSON lines of both handlers, nil for a handler without one.
func logged(
	t *testing.T, attrs func(context.Context) []slog.Attr, log func(*slog.Logger),
) (local, export map[string]any) {
	t.Helper()
	var out [2]bytes.Buffer
	log(slog.New(logHandler{
		slog.NewJSONHandler(&out[0], nil), slog.NewJSONHandler(&out[1], &slog.HandlerOptions{Level: slog.LevelDebug}), attrs,
	}))
	for i, line := range []*map[string]any{&local, &export} {
		if out[i].Len() > 0 {
			if err := json.Unmarshal(out[i].Bytes(), line); err != nil {
				t.Fatal(err)
			}
		}
	}
	return local, export
}

func TestLineHasAttributes(t *testing.T) {
	attrs := func(context.Context) []slog.Attr { return []slog.Attr{slog.String("incident", "i1")} }
	local, export := logged(t, attrs, func(l *slog.Logger) { l.With("probe", "prosody").Info("x", "n", 1) })
	for _, line := range []map[string]any{local, export} {
		if line["incident"] != "i1" || line["probe"] != "prosody" || line["n"] != 1.0 {
			t.Errorf("the line is %v", line)
		}
	}
}

// TestLineHasTrace checks that the local line names the trace once. The exported line does not, because OTLP has fields
// for it.
func TestLineHasTrace(t *testing.T) {
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := trace.ContextWithSpanContext(t.Context(), span)
	local, export := logged(t, nil, func(l *slog.Logger) { l.With("a", 1).InfoContext(ctx, "x") })
	if local["trace_id"] != span.TraceID().String() || local["span_id"] != span.SpanID().String() || local["a"] != 1.0 {
		t.Errorf("the line is %v", local)
	}
	if export["trace_id"] != nil || export["a"] != 1.0 {
		t.Errorf("the exported line is %v", export)
	}
	local, _ = logged(t, nil, func(l *slog.Logger) { l.Info("x") })
	if local["trace_id"] != nil || local["span_id"] != nil {
		t.Errorf("without a trace the line is %v", local)
	}
}

func TestLevelIsThatOfTheLocalLog(t *testing.T) {
	local, export := logged(t, nil, func(l *slog.Logger) { l.With("a", 1).WithGroup("g").Debug("x") })
	if local != nil || export != nil {
		t.Errorf("a debug line: %v, exported %v", local, export)
	}
}
