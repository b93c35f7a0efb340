package otel

import (
	"context"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// countedSpans is a batch span processor whose spans are counted.
type countedSpans struct {
	sdktrace.SpanProcessor
	count *exportCount
}

// newCountedSpans puts a batch span processor before the exporter. Its queue holds
// OTEL_BSP_MAX_QUEUE_SIZE + extra spans.
func newCountedSpans(exporter sdktrace.SpanExporter, extra int, count *exportCount) countedSpans {
	size := queueSize("OTEL_BSP_MAX_QUEUE_SIZE", sdktrace.DefaultMaxQueueSize) + extra
	count.room.Store(int64(size))
	batch := sdktrace.NewBatchSpanProcessor(countedSpanExporter{exporter, count},
		sdktrace.WithMaxQueueSize(size+1)) // ForceFlush puts a marker into the queue
	return countedSpans{batch, count}
}

// OnEnd implements sdktrace.SpanProcessor.
func (s countedSpans) OnEnd(span sdktrace.ReadOnlySpan) {
	if span.SpanContext().IsSampled() && s.count.admit() {
		s.SpanProcessor.OnEnd(span)
	}
}

type countedSpanExporter struct {
	sdktrace.SpanExporter
	count *exportCount
}

// ExportSpans implements sdktrace.SpanExporter.
func (e countedSpanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	e.count.done(len(spans), err)
	return err
}

// countedLogs is a batch log processor whose records are counted.
type countedLogs struct {
	sdklog.Processor
	count *exportCount
}

// newCountedLogs puts a batch log processor before the exporter.
func newCountedLogs(exporter sdklog.Exporter, count *exportCount) countedLogs {
	count.room.Store(int64(queueSize("OTEL_BLRP_MAX_QUEUE_SIZE", 2048)))
	return countedLogs{sdklog.NewBatchProcessor(countedLogExporter{exporter, count}), count}
}

// OnEmit implements sdklog.Processor.
func (l countedLogs) OnEmit(ctx context.Context, record *sdklog.Record) error {
	if !l.count.admit() {
		return nil
	}
	return l.Processor.OnEmit(ctx, record)
}

type countedLogExporter struct {
	sdklog.Exporter
	count *exportCount
}

// Export implements sdklog.Exporter.
func (e countedLogExporter) Export(ctx context.Context, records []sdklog.Record) error {
	err := e.Exporter.Export(ctx, records)
	e.count.done(len(records), err)
	return err
}

// countedMetricExporter counts collections. They have no queue.
type countedMetricExporter struct {
	sdkmetric.Exporter
	count *exportCount
}

// Export implements sdkmetric.Exporter.
func (e countedMetricExporter) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	err := e.Exporter.Export(ctx, rm)
	e.count.done(1, err)
	return err
}
