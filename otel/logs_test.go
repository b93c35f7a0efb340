package otel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"
)

// logged is what a handler makes of a line.
func logged(t *testing.T, wrap func(slog.Handler) slog.Handler, log func(*slog.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	log(slog.New(wrap(slog.NewJSONHandler(&out, nil))))
	var line map[string]any
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
	}
	return line
}

func TestLinesNameTheIncident(t *testing.T) {
	var incident atomic.Pointer[string]
	wrap := func(h slog.Handler) slog.Handler { return logHandler{h, &incident} }
	say := func(l *slog.Logger) { l.With("probe", "prosody").Info("x", "n", 1) }
	for _, id := range []string{"", "i1", "i2", ""} {
		incident.Store(&id)
		line := logged(t, wrap, say)
		if got, there := line["incident.id"]; there != (id != "") || there && got != id {
			t.Errorf("in incident %q the line is %v", id, line)
		}
		if line["probe"] != "prosody" || line["n"] != 1.0 {
			t.Errorf("the line is %v", line)
		}
	}
}

func TestLinesNameTheTrace(t *testing.T) {
	wrap := func(h slog.Handler) slog.Handler { return traceHandler{h} }
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	line := logged(t, wrap, func(l *slog.Logger) { l.With("a", 1).InfoContext(ctx, "x") })
	if line["trace_id"] != "01000000000000000000000000000000" || line["span_id"] != "0200000000000000" || line["a"] != 1.0 {
		t.Errorf("the line is %v", line)
	}
	line = logged(t, wrap, func(l *slog.Logger) { l.Info("x") })
	if line["trace_id"] != nil || line["span_id"] != nil {
		t.Errorf("without a trace the line is %v", line)
	}
}

func TestPushedLinesKeepToTheLevel(t *testing.T) {
	as := slog.NewTextHandler(new(bytes.Buffer), &slog.HandlerOptions{Level: slog.LevelWarn})
	wrap := func(h slog.Handler) slog.Handler { return levelHandler{h, as} }
	if line := logged(t, wrap, func(l *slog.Logger) { l.With("a", 1).WithGroup("g").Info("x") }); line != nil {
		t.Errorf("an info line: %v", line)
	}
	if line := logged(t, wrap, func(l *slog.Logger) { l.With("a", 1).Warn("x") }); line["a"] != 1.0 {
		t.Errorf("a warning: %v", line)
	}
}

// logGate is an exporter that takes no batch until it is opened.
type logGate struct {
	open  chan struct{}
	err   error
	count atomic.Int64
}

func (g *logGate) Export(ctx context.Context, records []sdklog.Record) error {
	select {
	case <-g.open:
	case <-ctx.Done():
		return ctx.Err()
	}
	g.count.Add(int64(len(records)))
	return g.err
}
func (g *logGate) Shutdown(context.Context) error   { return nil }
func (g *logGate) ForceFlush(context.Context) error { return nil }

func TestLogsBookEveryRecord(t *testing.T) {
	t.Setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "8")
	for name, err := range map[string]error{"exported": nil, "failed": errors.New("refused")} {
		t.Run(name, func(t *testing.T) {
			g := &logGate{open: make(chan struct{}), err: err}
			b := newBoundedLogs(g, newTestLedger("logs"))
			for range 20 {
				if err := b.OnEmit(t.Context(), new(sdklog.Record)); err != nil {
					t.Fatal(err)
				}
			}
			if n := b.dropped.Load(); n != 12 {
				t.Errorf("%d dropped, want 12", n)
			}
			close(g.open)
			_ = b.ForceFlush(t.Context())
			if n := b.room.Load(); n != 8 {
				t.Errorf("room for %d after all was exported, want 8", n)
			}
			_ = b.OnEmit(t.Context(), new(sdklog.Record))
			_ = b.Shutdown(t.Context())
			got := map[string]int64{"exported": b.exported.Load(), "failed": b.failed.Load()}
			if got[name] != 9 || g.count.Load() != 9 || b.dropped.Load() != 12 {
				t.Errorf("%v, the exporter had %d, %d dropped", got, g.count.Load(), b.dropped.Load())
			}
		})
	}
}
