package otel

import (
	"context"
	"sync"

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
	room    int64 // places left in the queue of batch
	waiting []sdktrace.ReadOnlySpan
}

// newOutlet puts a batch processor of its own before the exporter.
func newOutlet(exporter sdktrace.SpanExporter, l *ledger) *outlet {
	size := queueSize("OTEL_BSP_MAX_QUEUE_SIZE")
	o := &outlet{ledger: l, room: size}
	o.batch = sdktrace.NewBatchSpanProcessor(&settling{exporter, o}, sdktrace.WithMaxQueueSize(int(size)))
	return o
}

// send takes ended, sampled spans. It never blocks.
func (o *outlet) send(spans ...sdktrace.ReadOnlySpan) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fits := min(len(spans), maxWaiting+int(o.room)-len(o.waiting))
	o.dropped.Add(int64(len(spans) - fits))
	o.waiting = append(o.waiting, spans[:fits]...)
	o.feed()
}

// feed hands on as many as there is room for. The caller holds mu.
func (o *outlet) feed() {
	n := min(int(o.room), len(o.waiting))
	for _, span := range o.waiting[:n] {
		o.batch.OnEnd(span)
	}
	o.room -= int64(n)
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
	o.room += int64(n)
	o.feed()
}

// shutdown exports what is queued, as far as ctx allows; what still waits then is dropped.
func (o *outlet) shutdown(ctx context.Context) error {
	err := o.batch.Shutdown(ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropped.Add(int64(len(o.waiting)))
	o.waiting = nil
	return err
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
