package otel

import (
	"context"
	"errors"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// logHandler writes each line to two handlers. The level of local holds for both.
type logHandler struct {
	local, export slog.Handler
	attrs         func(context.Context) []slog.Attr // added to every line; may be nil
}

// Enabled implements slog.Handler.
func (h logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.local.Enabled(ctx, level)
}

// Handle implements slog.Handler. The local line gets the IDs of the trace and span in ctx; OTLP has fields for them.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.attrs != nil {
		r.AddAttrs(h.attrs(ctx)...)
	}
	err := h.export.Handle(ctx, r.Clone())
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	return errors.Join(err, h.local.Handle(ctx, r))
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.local.WithAttrs(attrs), h.export.WithAttrs(attrs), h.attrs}
}

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.local.WithGroup(name), h.export.WithGroup(name), h.attrs}
}
