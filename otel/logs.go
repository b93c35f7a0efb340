package otel

import (
	"context"
	"log/slog"
	"sync/atomic"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"
)

// logHandler gives every line the incident under way.
type logHandler struct {
	slog.Handler
	incident *atomic.Pointer[string]
}

// Handle implements slog.Handler.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := h.incident.Load(); id != nil && *id != "" {
		r.AddAttrs(slog.String(string(incidentKey), *id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs), h.incident}
}

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name), h.incident}
}

// traceHandler gives every line the trace and span it was logged in; over OTLP they go in fields of their own.
type traceHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}

// levelHandler keeps a handler to the level of another.
type levelHandler struct {
	slog.Handler
	as slog.Handler
}

// Enabled implements slog.Handler.
func (h levelHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.as.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelHandler{h.Handler.WithAttrs(attrs), h.as}
}

// WithGroup implements slog.Handler.
func (h levelHandler) WithGroup(name string) slog.Handler {
	return levelHandler{h.Handler.WithGroup(name), h.as}
}

// boundedLogs is a log processor and exporter in one: the batch processor between its two sides is given no more than it
// has room for, and what became of each record is counted.
type boundedLogs struct {
	*ledger
	sdklog.Processor // the batch processor
	room             atomic.Int64
}

// newBoundedLogs puts a batch processor before the exporter.
func newBoundedLogs(exporter sdklog.Exporter, l *ledger) *boundedLogs {
	size := positive("OTEL_BLRP_MAX_QUEUE_SIZE", 2048)
	b := &boundedLogs{ledger: l}
	b.room.Store(int64(size))
	b.Processor = sdklog.NewBatchProcessor(settlingLogs{exporter, b}, sdklog.WithMaxQueueSize(size))
	return b
}

// OnEmit implements sdklog.Processor.
func (b *boundedLogs) OnEmit(ctx context.Context, record *sdklog.Record) error {
	if b.room.Add(-1) < 0 {
		b.room.Add(1)
		b.dropped.Add(1)
		return nil
	}
	return b.Processor.OnEmit(ctx, record)
}

// settlingLogs tells what became of each batch of records.
type settlingLogs struct {
	sdklog.Exporter
	logs *boundedLogs
}

// Export implements sdklog.Exporter.
func (s settlingLogs) Export(ctx context.Context, records []sdklog.Record) error {
	err := s.Exporter.Export(ctx, records)
	s.logs.settle(len(records), err)
	s.logs.room.Add(int64(len(records)))
	return err
}
