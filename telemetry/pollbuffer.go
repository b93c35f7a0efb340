package telemetry

import (
	"context"
	"maps"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Keep determines which polls are exported (TRACE_KEEP).
type Keep string

// The values of TRACE_KEEP.
const (
	// KeepAll exports every poll.
	KeepAll Keep = "all"
	// KeepIncidents exports all polls around each change of the verdict, and few of the quiet ones. A poll is quiet while
	// there is no incident.
	KeepIncidents Keep = "incidents"
)

const (
	// keptPolls is how many quiet polls of each collector are held back for a change, and how many are exported after it.
	keptPolls = 60
	// quietShare is the share of quiet polls that are exported at once: one of quietShare.
	quietShare = 60
	// maxReleasedSpans is more than the spans of keptPolls polls of each collector: up to 9 in a poll of jicofo, 5 in one
	// of prosody or the census, and 2 in one of the status file.
	maxReleasedSpans = 1536

	// Spans beyond these bounds are exported at once.
	maxOpenTraces    = 256 // traces with spans that have not ended; usually fewer than ten
	maxSpansPerTrace = 256
)

// collectorKey is the attribute of a poll's root span that names the collector.
const collectorKey = attribute.Key("signal.collector")

// pollBuffer is a span processor that collects each trace until its root ends, adds the incident to its spans, and then
// exports it or, if it is a quiet poll, holds it back for the next change of the verdict.
type pollBuffer struct {
	keep   Keep
	export sdktrace.SpanProcessor // the batch processor

	mu       sync.Mutex
	open     map[trace.TraceID]*openTrace
	rings    map[string]*ring // by collector
	after    int              // polls to be exported after the last change, of a collector without a ring
	incident string           // the current one, "" for none
}

// openTrace is a trace with spans that have not ended.
type openTrace struct {
	spans     []sdktrace.ReadOnlySpan
	incident  string
	running   int  // spans that have not ended
	rootEnded bool // spans that end after their root, as a dump does, are exported at once
}

func newPollBuffer(keep Keep, export sdktrace.SpanProcessor) *pollBuffer {
	return &pollBuffer{keep: keep, export: export, open: map[trace.TraceID]*openTrace{}, rings: map[string]*ring{}}
}

// OnStart implements sdktrace.SpanProcessor.
func (b *pollBuffer) OnStart(_ context.Context, span sdktrace.ReadWriteSpan) {
	if !span.SpanContext().IsSampled() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	id := span.SpanContext().TraceID()
	t := b.open[id]
	if t == nil {
		if !isRoot(span) || len(b.open) >= maxOpenTraces {
			return
		}
		t = &openTrace{incident: b.incident}
		b.open[id] = t
	}
	t.running++
}

// OnEnd implements sdktrace.SpanProcessor.
func (b *pollBuffer) OnEnd(span sdktrace.ReadOnlySpan) {
	if !span.SpanContext().IsSampled() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	id := span.SpanContext().TraceID()
	t := b.open[id]
	if t == nil {
		b.exportAll(b.incident, span)
		return
	}
	if t.running--; t.running == 0 {
		delete(b.open, id)
	}
	switch {
	case t.rootEnded:
		b.exportAll(t.incident, span)
	case isRoot(span):
		if t.incident == "" {
			t.incident = b.incident
		}
		b.exportOrHold(attributeOf(span, collectorKey), t.incident, append(t.spans, span))
		t.spans, t.rootEnded = nil, true
	case len(t.spans) >= maxSpansPerTrace:
		b.exportAll(t.incident, span)
	default:
		t.spans = append(t.spans, span)
	}
}

// exportOrHold exports a complete trace, or holds it back. The caller holds mu.
func (b *pollBuffer) exportOrHold(collector, incident string, spans []sdktrace.ReadOnlySpan) {
	if b.keep == KeepAll || collector == "" || incident != "" {
		b.exportAll(incident, spans...)
		return
	}
	r := b.rings[collector]
	if r == nil {
		r = &ring{after: b.after}
		b.rings[collector] = r
	}
	if r.exportNext() {
		b.exportAll(incident, spans...)
		return
	}
	r.push(spans)
}

// exportAll passes the spans, with the incident added, to the batch processor, which does not block.
func (b *pollBuffer) exportAll(incident string, spans ...sdktrace.ReadOnlySpan) {
	for _, span := range spans {
		if incident != "" && attributeOf(span, incidentKey) == "" {
			span = incidentSpan{span, incidentKey.String(incident)}
		}
		b.export.OnEnd(span)
	}
}

// verdictChanged exports the polls that were held back. The trace in ctx caused the change. current is the incident
// after the change ("" for none), and incident the one that the change belongs to, for example the one
// that a recovery ends.
func (b *pollBuffer) verdictChanged(ctx context.Context, current, incident string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.incident, b.after = current, keptPolls
	if t := b.open[trace.SpanContextFromContext(ctx).TraceID()]; t != nil {
		t.incident = incident
	}
	for _, collector := range slices.Sorted(maps.Keys(b.rings)) {
		for _, spans := range b.rings[collector].release() {
			b.exportAll(incident, spans...)
		}
	}
}

// Shutdown implements sdktrace.SpanProcessor. Polls that are held back are discarded.
func (b *pollBuffer) Shutdown(ctx context.Context) error { return b.export.Shutdown(ctx) }

// ForceFlush implements sdktrace.SpanProcessor.
func (b *pollBuffer) ForceFlush(ctx context.Context) error { return b.export.ForceFlush(ctx) }

// ring holds the latest quiet polls of one collector.
type ring struct {
	polls [keptPolls][]sdktrace.ReadOnlySpan
	next  int // index of the next poll, which is that of the oldest
	after int // polls still to be exported after a change
	quiet int // quiet polls since the last one that was exported
}

// exportNext reports whether the next poll is exported at once.
func (r *ring) exportNext() bool {
	if r.after > 0 {
		r.after--
		return true
	}
	r.quiet++
	if r.quiet < quietShare {
		return false
	}
	r.quiet = 0
	return true
}

func (r *ring) push(spans []sdktrace.ReadOnlySpan) {
	r.polls[r.next] = spans
	r.next = (r.next + 1) % keptPolls
}

// release empties the ring and returns its polls, oldest first. The polls that follow are exported at once.
func (r *ring) release() [][]sdktrace.ReadOnlySpan {
	var polls [][]sdktrace.ReadOnlySpan
	for i := range keptPolls {
		if spans := r.polls[(r.next+i)%keptPolls]; spans != nil {
			polls = append(polls, spans)
		}
	}
	*r = ring{after: keptPolls}
	return polls
}

// incidentSpan is an ended span with the attribute of the incident added.
type incidentSpan struct {
	sdktrace.ReadOnlySpan
	incident attribute.KeyValue
}

// Attributes implements sdktrace.ReadOnlySpan.
func (s incidentSpan) Attributes() []attribute.KeyValue {
	return append(slices.Clip(s.ReadOnlySpan.Attributes()), s.incident)
}

func isRoot(span sdktrace.ReadOnlySpan) bool {
	return !span.Parent().IsValid() || span.Parent().IsRemote()
}

// attributeOf returns the text of an attribute, "" without it.
func attributeOf(span sdktrace.ReadOnlySpan, key attribute.Key) string {
	for _, a := range span.Attributes() {
		if a.Key == key {
			return a.Value.AsString()
		}
	}
	return ""
}
