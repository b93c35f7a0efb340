package otel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// backend accepts no item until it is opened. Then it returns err for each batch.
type backend struct {
	open  chan struct{}
	err   error
	items atomic.Int64
}

func (b *backend) export(ctx context.Context, n int) error {
	select {
	case <-b.open:
	case <-ctx.Done():
		return ctx.Err()
	}
	b.items.Add(int64(n))
	return b.err
}

func (b *backend) Shutdown(context.Context) error   { return nil }
func (b *backend) ForceFlush(context.Context) error { return nil }

type spanBackend struct{ *backend }

func (b spanBackend) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	return b.export(ctx, len(spans))
}

type logBackend struct{ *backend }

func (b logBackend) Export(ctx context.Context, records []sdklog.Record) error {
	return b.export(ctx, len(records))
}

type metricBackend struct {
	sdkmetric.Exporter
	err error
}

func (m *metricBackend) Export(context.Context, *metricdata.ResourceMetrics) error { return m.err }

// pipeline is a batch processor and its backend.
type pipeline struct {
	count    *exportCount
	emit     func()
	flush    func(context.Context) error
	shutdown func(context.Context) error
}

func newPipeline(t *testing.T, signal string, b *backend) pipeline {
	count := newTestCount(signal)
	if signal == "logs" {
		logs := newCountedLogs(logBackend{b}, count)
		return pipeline{count, func() { _ = logs.OnEmit(t.Context(), new(sdklog.Record)) }, logs.ForceFlush, logs.Shutdown}
	}
	spans := newCountedSpans(spanBackend{b}, 3, count)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	tracer := provider.Tracer("test")
	emit := func() {
		_, span := tracer.Start(t.Context(), "test")
		span.End()
	}
	return pipeline{count, emit, spans.ForceFlush, spans.Shutdown}
}

// TestEveryItemIsCounted checks that a full queue drops the newest items, and has room again after the backend has
// accepted a batch.
func TestEveryItemIsCounted(t *testing.T) {
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "5") // and 3 extra
	t.Setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "8")
	const size, emitted = 8, 40
	for _, signal := range []string{"traces", "logs"} {
		for result, err := range map[string]error{"exported": nil, "failed": errors.New("refused")} {
			t.Run(signal+" "+result, func(t *testing.T) {
				b := &backend{open: make(chan struct{}), err: err}
				p := newPipeline(t, signal, b)
				for range emitted {
					p.emit()
				}
				if n := p.count.dropped.Load(); n != emitted-size {
					t.Errorf("%d dropped while the backend hangs, want %d", n, emitted-size)
				}
				close(b.open)
				for round := range 3 {
					_ = p.flush(t.Context())
					if n := p.count.room.Load(); n != size {
						t.Errorf("room for %d after flush %d, want %d", n, round, size)
					}
					for range size {
						p.emit()
					}
				}
				_ = p.shutdown(t.Context())
				want := map[string]int64{"exported": 0, "failed": 0, "dropped": emitted - size}
				want[result] = 4 * size
				got := map[string]int64{
					"exported": p.count.exported.Load(), "failed": p.count.failed.Load(), "dropped": p.count.dropped.Load(),
				}
				if !maps.Equal(got, want) || b.items.Load() != 4*size {
					t.Errorf("counted %v, want %v; the backend got %d", got, want, b.items.Load())
				}
			})
		}
	}
}

// TestShutdownIsBounded checks that a backend that hangs does not delay the shutdown beyond the end of its context.
func TestShutdownIsBounded(t *testing.T) {
	for _, signal := range []string{"traces", "logs"} {
		t.Run(signal, func(t *testing.T) {
			b := &backend{open: make(chan struct{})}
			p := newPipeline(t, signal, b)
			p.emit()
			over, cancel := context.WithCancel(t.Context())
			cancel()
			if err := p.shutdown(over); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			close(b.open)
		})
	}
}

func TestUnsampledSpansAreNotCounted(t *testing.T) {
	count := newTestCount("traces")
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(recordOnly{sdktrace.NeverSample()}),
		sdktrace.WithSpanProcessor(newCountedSpans(spanBackend{new(backend)}, 0, count)))
	_, span := provider.Tracer("test").Start(t.Context(), "test")
	span.End()
	if n := count.room.Load(); n != sdktrace.DefaultMaxQueueSize {
		t.Errorf("room for %d, want %d", n, sdktrace.DefaultMaxQueueSize)
	}
	_ = provider.Shutdown(t.Context())
}

// recordOnly is a sampler whose spans are recorded but not exported.
type recordOnly struct{ sdktrace.Sampler }

func (recordOnly) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly}
}

func TestCollectionsAreCounted(t *testing.T) {
	backend, count := new(metricBackend), newTestCount("metrics")
	e := countedMetricExporter{backend, count}
	for _, backend.err = range []error{nil, errors.New("refused"), nil} {
		if err := e.Export(t.Context(), nil); !errors.Is(err, backend.err) {
			t.Errorf("error %v, want %v", err, backend.err)
		}
	}
	if got := fmt.Sprint(count.exported.Load(), count.failed.Load()); got != "2 1" {
		t.Errorf("exported and failed are %s, want 2 1", got)
	}
}
