package otel

import (
	"context"
	"errors"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// maxWaiting bounds the spans that wait for room in the batch processor's queue: somewhat more than all the polls that
// are kept.
const maxWaiting = 1536

// outlet hands spans to the batch processor, never more than its queue has room for; the others wait here, so that many
// at once (the minute before an incident) overrun nothing. What does not fit here either is dropped, and counted.
type outlet struct {
	*ledger
	mu      sync.Mutex
	batch   sdktrace.SpanProcessor
	room    int // places left in the queue of batch
	waiting []sdktrace.ReadOnlySpan
}

// newOutlet puts a batch processor of its own before the exporter.
func newOutlet(exporter sdktrace.SpanExporter, l *ledger) *outlet {
	size := positive("OTEL_BSP_MAX_QUEUE_SIZE", sdktrace.DefaultMaxQueueSize)
	batch := min(size, positive("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", sdktrace.DefaultMaxExportBatchSize))
	o := &outlet{ledger: l, room: size}
	o.batch = sdktrace.NewBatchSpanProcessor(&settling{exporter, o},
		sdktrace.WithMaxQueueSize(size+1), // a place for what a flush puts into the queue
		sdktrace.WithMaxExportBatchSize(batch),
		sdktrace.WithBatchTimeout(time.Duration(positive("OTEL_BSP_SCHEDULE_DELAY", sdktrace.DefaultScheduleDelay))*time.Millisecond))
	return o
}

// send takes ended, sampled spans. It never blocks.
func (o *outlet) send(spans ...sdktrace.ReadOnlySpan) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fits := min(len(spans), maxWaiting+o.room-len(o.waiting))
	o.dropped.Add(int64(len(spans) - fits))
	o.waiting = append(o.waiting, spans[:fits]...)
	o.feed()
}

// feed hands on as many as there is room for. The caller holds mu.
func (o *outlet) feed() {
	n := min(o.room, len(o.waiting))
	for _, span := range o.waiting[:n] {
		o.batch.OnEnd(span)
	}
	o.room -= n
	o.waiting = o.waiting[n:]
	if len(o.waiting) == 0 {
		o.waiting = nil // a release's array is not kept
	}
}

// settled makes room again for a batch that has left the queue.
func (o *outlet) settled(n int, err error) {
	o.settle(n, err)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.room += n
	o.feed()
}

// flush exports all that waits and all that is queued, as far as ctx allows.
func (o *outlet) flush(ctx context.Context) error {
	for {
		if err := o.batch.ForceFlush(ctx); err != nil || !o.waits() {
			return err
		}
	}
}

func (o *outlet) waits() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting) > 0
}

// shutdown exports what is left, as far as ctx allows; what still waits then is dropped.
func (o *outlet) shutdown(ctx context.Context) error {
	err := o.flush(ctx)
	o.mu.Lock()
	o.dropped.Add(int64(len(o.waiting)))
	o.waiting = nil
	o.mu.Unlock()
	return errors.Join(err, o.batch.Shutdown(ctx))
}

// settling tells the outlet what became of each batch.
type settling struct {
	sdktrace.SpanExporter
	outlet *outlet
}

// ExportSpans implements sdktrace.SpanExporter.
func (s *settling) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := s.SpanExporter.ExportSpans(ctx, spans)
	s.outlet.settled(len(spans), err)
	return err
}
