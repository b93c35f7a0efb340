package telemetry

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// collectors are the collectors of the tests.
var collectors = []string{"census", "jicofo", "of a later version", "prosody", "status_file"}

// buffered is a pollBuffer with a real provider and the exporter of its spans.
type buffered struct {
	*pollBuffer
	tracer   trace.Tracer
	exporter *tracetest.InMemoryExporter
}

func newBuffered(t *testing.T, keep Keep, options ...sdktrace.TracerProviderOption) *buffered {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	b := &buffered{pollBuffer: newPollBuffer(keep, sdktrace.NewSimpleSpanProcessor(exporter)), exporter: exporter}
	provider := sdktrace.NewTracerProvider(append(options, sdktrace.WithSpanProcessor(b.pollBuffer))...)
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	b.tracer = provider.Tracer("test")
	return b
}

// begin starts a poll with one child span, which has ended.
func (b *buffered) begin(collector string, n int) (context.Context, trace.Span) {
	ctx, root := b.tracer.Start(context.Background(), fmt.Sprintf("%s %d", collector, n),
		trace.WithAttributes(collectorKey.String(collector)))
	_, probe := b.tracer.Start(ctx, fmt.Sprintf("probe %s %d", collector, n))
	probe.End()
	return ctx, root
}

// polls runs the polls with the numbers from to to.
func (b *buffered) polls(collector string, from, to int) {
	for n := from; n <= to; n++ {
		_, root := b.begin(collector, n)
		root.End()
	}
}

// exported returns the names of the root spans exported since the last call, in order, each with its incident. It
// checks that the probe of each root was exported too.
func (b *buffered) exported(t *testing.T) (roots []string) {
	t.Helper()
	seen := map[string]string{}
	for _, s := range b.exporter.GetSpans() {
		incident := ""
		for _, a := range s.Attributes {
			if a.Key == incidentKey {
				incident += "@" + a.Value.AsString()
			}
		}
		seen[s.Name] = incident
		if !s.Parent.IsValid() {
			roots = append(roots, s.Name+incident)
			if probe, ok := seen["probe "+s.Name]; ok && probe != incident {
				t.Errorf("%s has incident %q, its probe %q", s.Name, incident, probe)
			} else if !ok {
				t.Errorf("%s was exported without its probe", s.Name)
			}
		}
	}
	b.exporter.Reset()
	return roots
}

// names returns the names of the polls with the numbers from to to, except those in without.
func names(collector, incident string, from, to int, without ...int) (all []string) {
	for n := from; n <= to; n++ {
		if !slices.Contains(without, n) {
			all = append(all, fmt.Sprintf("%s %d%s", collector, n, incident))
		}
	}
	return all
}

func wantExported(t *testing.T, b *buffered, want ...[]string) {
	t.Helper()
	if got, want := b.exported(t), slices.Concat(want...); !slices.Equal(got, want) {
		t.Errorf("exported %q\nwant %q", got, want)
	}
}

func TestQuietPollsAreExportedOneInSixty(t *testing.T) {
	b := newBuffered(t, KeepIncidents)
	b.polls("jicofo", 1, 200)
	wantExported(t, b, []string{"jicofo 60", "jicofo 120", "jicofo 180"})
}

func TestReleaseIsOldestFirstAndOnce(t *testing.T) {
	b := newBuffered(t, KeepIncidents)
	b.polls("jicofo", 1, 100)
	wantExported(t, b, []string{"jicofo 60"})
	b.verdictChanged(t.Context(), "i", "i")
	wantExported(t, b, names("jicofo", "@i", 40, 100, 60)) // 60 polls
	b.verdictChanged(t.Context(), "i", "i")
	wantExported(t, b)
}

func TestReleaseOfFewPolls(t *testing.T) {
	b := newBuffered(t, KeepIncidents)
	b.polls("prosody", 1, 3)
	b.verdictChanged(t.Context(), "i", "i")
	wantExported(t, b, names("prosody", "@i", 1, 3))
}

func TestEveryCollectorIsReleased(t *testing.T) {
	b := newBuffered(t, KeepIncidents)
	for n := 1; n <= keptPolls-1; n++ {
		for _, collector := range collectors {
			b.polls(collector, n, n)
		}
	}
	b.verdictChanged(t.Context(), "i", "i")
	want := make([][]string, len(collectors))
	for i, collector := range collectors {
		want[i] = names(collector, "@i", 1, 59)
	}
	wantExported(t, b, want...)
}

func TestPollsAfterAChange(t *testing.T) {
	b := newBuffered(t, KeepIncidents)
	b.verdictChanged(t.Context(), "i", "i")
	b.polls("jicofo", 1, 100) // during the incident
	wantExported(t, b, names("jicofo", "@i", 1, 100))
	b.verdictChanged(t.Context(), "", "i")
	b.polls("jicofo", 101, 300)
	wantExported(t, b, names("jicofo", "", 101, 160), []string{"jicofo 220", "jicofo 280"})
}

// A change without an incident is a change of the status file, for example to maint.
func TestChangeWithoutIncident(t *testing.T) {
	b := newBuffered(t, KeepIncidents)
	b.polls("jicofo", 1, 2)
	b.verdictChanged(t.Context(), "", "")
	b.polls("jicofo", 3, 3)
	wantExported(t, b, names("jicofo", "", 1, 3))
}

func TestPollThatCausesAChangeBelongsToTheIncident(t *testing.T) {
	b := newBuffered(t, KeepIncidents)
	_, underWay := b.begin("prosody", 1)
	ctx, cause := b.begin("jicofo", 1)
	b.verdictChanged(ctx, "i", "i")
	cause.End()
	underWay.End()
	wantExported(t, b, []string{"jicofo 1@i", "prosody 1@i"})

	ctx, cause = b.begin("jicofo", 2)
	b.verdictChanged(ctx, "", "i") // ends the incident
	cause.End()
	b.polls("jicofo", 3, 3)
	wantExported(t, b, []string{"jicofo 2@i", "jicofo 3"})
}

func TestNameOfAnIncidentIsNotGivenTwice(t *testing.T) {
	b := newBuffered(t, KeepIncidents)
	b.verdictChanged(t.Context(), "i", "i")
	_, root := b.begin("jicofo", 1)
	root.SetAttributes(incidentKey.String("own"))
	root.End()
	for _, s := range b.exporter.GetSpans() {
		want := []attribute.KeyValue{collectorKey.String("jicofo"), incidentKey.String("own")}
		if !s.Parent.IsValid() && !slices.Equal(s.Attributes, want) {
			t.Errorf("attributes %v", s.Attributes)
		}
	}
}

func TestKeepAll(t *testing.T) {
	b := newBuffered(t, KeepAll)
	b.polls("jicofo", 1, 100)
	b.verdictChanged(t.Context(), "i", "i")
	b.polls("jicofo", 101, 101)
	wantExported(t, b, names("jicofo", "", 1, 100), []string{"jicofo 101@i"})
	if len(b.rings) != 0 {
		t.Error("polls are held back as well")
	}
}

func TestOtherTracesAreAlwaysExported(t *testing.T) {
	b := newBuffered(t, KeepIncidents)
	_, root := b.tracer.Start(t.Context(), "verdict down")
	root.End()
	if n := len(b.exporter.GetSpans()); n != 1 {
		t.Errorf("%d spans exported, want 1", n)
	}
}

// A dump outlives the poll that found its cause.
func TestSpanThatOutlivesItsRoot(t *testing.T) {
	b := newBuffered(t, KeepIncidents)
	ctx, root := b.begin("jicofo", 1)
	b.verdictChanged(ctx, "i", "i")
	_, dump := b.tracer.Start(ctx, "dump jicofo")
	root.End()
	b.verdictChanged(t.Context(), "", "i")
	dump.End()
	spans := b.exporter.GetSpans()
	last := spans[len(spans)-1]
	if last.Name != "dump jicofo" || !slices.Contains(last.Attributes, incidentKey.String("i")) {
		t.Errorf("the last span is %s %v", last.Name, last.Attributes)
	}
	if len(b.open) != 0 {
		t.Errorf("%d traces open", len(b.open))
	}
}

// TestSpansOfATraceAreBounded checks that spans beyond the limit do not wait for their root.
func TestSpansOfATraceAreBounded(t *testing.T) {
	b := newBuffered(t, KeepAll)
	ctx, root := b.tracer.Start(t.Context(), "root")
	for range maxSpansPerTrace + 10 {
		_, span := b.tracer.Start(ctx, "child")
		span.End()
	}
	if n := len(b.exporter.GetSpans()); n != 10 {
		t.Errorf("%d spans exported before the root ended, want 10", n)
	}
	root.End()
	spans := b.exporter.GetSpans()
	if len(spans) != maxSpansPerTrace+10+1 || spans[len(spans)-1].Name != "root" {
		t.Errorf("%d spans exported, the last %s", len(spans), spans[len(spans)-1].Name)
	}
}

// TestOpenTracesAreBounded checks that traces beyond the limit are not held back.
func TestOpenTracesAreBounded(t *testing.T) {
	b := newBuffered(t, KeepIncidents)
	roots := make([]trace.Span, maxOpenTraces+10)
	for n := range roots {
		_, roots[n] = b.begin("jicofo", n)
	}
	if n := len(b.exporter.GetSpans()); len(b.open) != maxOpenTraces || n != 10 {
		t.Errorf("%d traces open, %d spans of others exported", len(b.open), n)
	}
	for _, root := range slices.Backward(roots) {
		root.End()
	}
	beyond := names("jicofo", "", maxOpenTraces, maxOpenTraces+9)
	slices.Reverse(beyond)
	if got := b.exported(t)[:10]; !slices.Equal(got, beyond) || len(b.open) != 0 {
		t.Errorf("exported %q, %d traces open", got, len(b.open))
	}
}

// recordOnly is a sampler whose spans are recorded but not exported.
type recordOnly struct{ sdktrace.Sampler }

func (recordOnly) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly}
}

func TestUnsampledSpansAreIgnored(t *testing.T) {
	for name, sampler := range map[string]sdktrace.Sampler{
		"dropped": sdktrace.NeverSample(), "recorded": recordOnly{sdktrace.NeverSample()},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBuffered(t, KeepAll, sdktrace.WithSampler(sampler))
			b.polls("jicofo", 1, 2*maxOpenTraces)
			wantExported(t, b)
			if len(b.open) != 0 {
				t.Errorf("%d traces open", len(b.open))
			}
		})
	}
}

func TestHeldPollsAreDiscardedAtTheEnd(t *testing.T) {
	b := newBuffered(t, KeepIncidents)
	b.polls("jicofo", 1, 10)
	if err := b.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(b.exporter.GetSpans()); n != 0 {
		t.Errorf("%d spans exported", n)
	}
}

func TestConcurrentUse(t *testing.T) {
	b := newBuffered(t, KeepIncidents)
	var all sync.WaitGroup
	for _, collector := range collectors {
		all.Go(func() { b.polls(collector, 1, 500) })
	}
	all.Go(func() {
		for n := range 200 {
			incident := fmt.Sprint("i", n)
			b.verdictChanged(t.Context(), incident, incident)
			b.verdictChanged(t.Context(), "", incident)
		}
	})
	all.Wait()
	b.verdictChanged(t.Context(), "", "") // releases the rest
	once := map[string]bool{}
	for _, s := range b.exported(t) {
		if once[s] {
			t.Errorf("%s exported twice", s)
		}
		once[s] = true
	}
	if len(b.open) != 0 {
		t.Errorf("%d traces open", len(b.open))
	}
}
