package otel

import (
	"context"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Keep says which polls are exported (TRACE_KEEP).
type Keep string

// The values of TRACE_KEEP.
const (
	// KeepAll exports every poll.
	KeepAll Keep = "all"
	// KeepIncidents exports the polls around each change of the verdict, in full, and few of the quiet ones.
	KeepIncidents Keep = "incidents"
)

const (
	// keptPolls is how many polls of each collector are kept from before a change, and exported after a recovery.
	keptPolls = 60
	// quietShare is the share of quiet polls that is exported: one in so many.
	quietShare = 60

	maxOpenTraces    = 256 // traces with spans that have not ended; there are hardly ever ten
	maxSpansPerTrace = 256
)

// keys of attributes that the keeper reads or adds.
const (
	collectorKey = attribute.Key("signal.collector")
	incidentKey  = attribute.Key("incident.id")
)

// keeper is a span processor that collects each trace until its root has ended, marks it with the incident it belongs
// to, and decides whether it is exported now, kept for later, or forgotten. All of it is bounded.
type keeper struct {
	keep Keep
	out  *outlet

	mu       sync.Mutex
	open     map[trace.TraceID]*openTrace
	rings    map[string]*ring // by collector
	incident string           // the one under way, "" for none
}

// openTrace is a trace some of whose spans have not ended.
type openTrace struct {
	spans    []sdktrace.ReadOnlySpan
	incident string
	running  int  // spans that have not ended
	decided  bool // the root has ended; what ends later, as a dump does, is exported at once
}

func newKeeper(keep Keep, out *outlet) *keeper {
	return &keeper{keep: keep, out: out, open: map[trace.TraceID]*openTrace{}, rings: map[string]*ring{}}
}

// OnStart implements sdktrace.SpanProcessor.
func (k *keeper) OnStart(_ context.Context, span sdktrace.ReadWriteSpan) {
	if !span.SpanContext().IsSampled() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	id := span.SpanContext().TraceID()
	t := k.open[id]
	if t == nil {
		if !isRoot(span) || len(k.open) >= maxOpenTraces {
			return
		}
		t = &openTrace{incident: k.incident}
		k.open[id] = t
	}
	t.running++
}

// OnEnd implements sdktrace.SpanProcessor.
func (k *keeper) OnEnd(span sdktrace.ReadOnlySpan) {
	if !span.SpanContext().IsSampled() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	id := span.SpanContext().TraceID()
	t := k.open[id]
	if t == nil { // there were too many traces
		k.out.dropped.Add(1)
		return
	}
	if t.running--; t.running == 0 {
		delete(k.open, id)
	}
	switch {
	case t.decided:
		k.out.send(mark([]sdktrace.ReadOnlySpan{span}, t.incident)...)
	case isRoot(span):
		if t.incident == "" {
			t.incident = k.incident
		}
		k.decide(attributeOf(span, collectorKey), mark(append(t.spans, span), t.incident), t.incident)
		t.spans, t.decided = nil, true
	case len(t.spans) >= maxSpansPerTrace: // the trace is out of all bounds
		k.out.dropped.Add(1)
	default:
		t.spans = append(t.spans, span)
	}
}

// decide exports a complete trace, or keeps it. The caller holds mu.
func (k *keeper) decide(collector string, spans []sdktrace.ReadOnlySpan, incident string) {
	if k.keep == KeepAll || collector == "" || incident != "" {
		k.out.send(spans...)
		return
	}
	r := k.ring(collector)
	if r.exportNext() {
		k.out.send(spans...)
		return
	}
	r.push(spans)
}

// changed is told of each change of the verdict, of the incident under way since ("" for none), and of the one that the
// change belongs to, which a recovery ends. The trace in ctx caused it.
func (k *keeper) changed(ctx context.Context, underWay, of string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.incident = underWay
	if t := k.open[trace.SpanContextFromContext(ctx).TraceID()]; t != nil {
		t.incident = of
	}
	if k.keep == KeepAll {
		return
	}
	for _, name := range collectorNames {
		for _, spans := range k.ring(name).release() {
			k.out.send(mark(spans, of)...)
		}
	}
}

// collectorNames lists those whose polls are kept.
var collectorNames = []string{"jicofo", "prosody", "status_file", "census"}

func (k *keeper) ring(collector string) *ring {
	r := k.rings[collector]
	if r == nil {
		r = new(ring)
		k.rings[collector] = r
	}
	return r
}

// Shutdown implements sdktrace.SpanProcessor. Quiet polls that are still kept are forgotten.
func (k *keeper) Shutdown(ctx context.Context) error { return k.out.shutdown(ctx) }

// ForceFlush implements sdktrace.SpanProcessor.
func (k *keeper) ForceFlush(ctx context.Context) error { return k.out.flush(ctx) }

// ring holds the latest quiet polls of one collector.
type ring struct {
	polls [keptPolls][]sdktrace.ReadOnlySpan
	next  int // place of the next poll, and so of the oldest
	after int // polls still to be exported after a change
	quiet int // quiet polls since the last that was exported
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

// release empties the ring, oldest first, and has the polls that follow exported.
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

// marked is a span that was found, after its end, to belong to an incident.
type marked struct {
	sdktrace.ReadOnlySpan
	incident attribute.KeyValue
}

// Attributes implements sdktrace.ReadOnlySpan.
func (m marked) Attributes() []attribute.KeyValue {
	return append(slices.Clip(m.ReadOnlySpan.Attributes()), m.incident)
}

// mark gives spans the attribute that an incident is found by.
func mark(spans []sdktrace.ReadOnlySpan, incident string) []sdktrace.ReadOnlySpan {
	if incident == "" {
		return spans
	}
	all := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, span := range spans {
		all[i] = span
		if attributeOf(span, incidentKey) == "" {
			all[i] = marked{span, incidentKey.String(incident)}
		}
	}
	return all
}

func isRoot(span sdktrace.ReadOnlySpan) bool {
	return !span.Parent().IsValid() || span.Parent().IsRemote()
}

// attributeOf is the text of an attribute, "" without it.
func attributeOf(span sdktrace.ReadOnlySpan, key attribute.Key) string {
	for _, a := range span.Attributes() {
		if a.Key == key {
			return a.Value.AsString()
		}
	}
	return ""
}
