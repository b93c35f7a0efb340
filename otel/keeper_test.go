package otel

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

// kept is a keeper behind a real provider, and what it exports.
type kept struct {
	*keeper
	tracer   trace.Tracer
	exporter *tracetest.InMemoryExporter
}

func newKept(t *testing.T, keep Keep, options ...sdktrace.TracerProviderOption) *kept {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	k := &kept{keeper: newKeeper(keep, newOutlet(exporter, newTestLedger("traces"))), exporter: exporter}
	provider := sdktrace.NewTracerProvider(append(options, sdktrace.WithSpanProcessor(k.keeper))...)
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	k.tracer = provider.Tracer("test")
	return k
}

// begin begins a poll with one span in it, which has ended.
func (k *kept) begin(collector string, n int) (context.Context, trace.Span) {
	ctx, root := k.tracer.Start(context.Background(), fmt.Sprintf("%s %d", collector, n),
		trace.WithAttributes(collectorKey.String(collector)))
	_, probe := k.tracer.Start(ctx, fmt.Sprintf("probe %s %d", collector, n))
	probe.End()
	return ctx, root
}

// polls runs the polls from one number to another.
func (k *kept) polls(collector string, from, to int) {
	for n := from; n <= to; n++ {
		_, root := k.begin(collector, n)
		root.End()
	}
}

// exported returns the names of the roots that were exported since the last call, in order, each with its incident. It
// checks that each came with its probe.
func (k *kept) exported(t *testing.T) (roots []string) {
	t.Helper()
	if err := k.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, s := range k.exporter.GetSpans() {
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
				t.Errorf("%s is marked %q, its probe %q", s.Name, incident, probe)
			} else if !ok {
				t.Errorf("%s came without its probe", s.Name)
			}
		}
	}
	k.exporter.Reset()
	return roots
}

// names lists polls by number, without those that are left out.
func names(collector, incident string, from, to int, without ...int) (all []string) {
	for n := from; n <= to; n++ {
		if !slices.Contains(without, n) {
			all = append(all, fmt.Sprintf("%s %d%s", collector, n, incident))
		}
	}
	return all
}

func wantExported(t *testing.T, k *kept, want ...[]string) {
	t.Helper()
	if got, want := k.exported(t), slices.Concat(want...); !slices.Equal(got, want) {
		t.Errorf("exported %q\nwant %q", got, want)
	}
}

func TestQuietPollsAreExportedOneInSixty(t *testing.T) {
	k := newKept(t, KeepIncidents)
	k.polls("jicofo", 1, 200)
	wantExported(t, k, []string{"jicofo 60", "jicofo 120", "jicofo 180"})
}

func TestReleaseIsOldestFirstAndOnce(t *testing.T) {
	k := newKept(t, KeepIncidents)
	k.polls("jicofo", 1, 100)
	wantExported(t, k, []string{"jicofo 60"})
	k.changed(t.Context(), "i", "i")
	wantExported(t, k, names("jicofo", "@i", 40, 100, 60)) // 60 of them
	k.changed(t.Context(), "i", "i")
	wantExported(t, k)
}

func TestReleaseOfFewPolls(t *testing.T) {
	k := newKept(t, KeepIncidents)
	k.polls("prosody", 1, 3)
	k.changed(t.Context(), "i", "i")
	wantExported(t, k, names("prosody", "@i", 1, 3))
}

func TestCollectorsAreKeptApart(t *testing.T) {
	k := newKept(t, KeepIncidents)
	for n := 1; n <= 59; n++ {
		for _, collector := range collectorNames {
			k.polls(collector, n, n)
		}
	}
	k.changed(t.Context(), "i", "i")
	want := make([][]string, len(collectorNames))
	for i, collector := range collectorNames {
		want[i] = names(collector, "@i", 1, 59)
	}
	wantExported(t, k, want...)
}

func TestPollsAfterAChange(t *testing.T) {
	k := newKept(t, KeepIncidents)
	k.changed(t.Context(), "i", "i")
	k.polls("jicofo", 1, 100) // in the incident
	wantExported(t, k, names("jicofo", "@i", 1, 100))
	k.changed(t.Context(), "", "i")
	k.polls("jicofo", 101, 300)
	wantExported(t, k, names("jicofo", "", 101, 160), []string{"jicofo 220", "jicofo 280"})
}

// A change without an incident is one of the status file, as for maintenance.
func TestChangeWithoutIncident(t *testing.T) {
	k := newKept(t, KeepIncidents)
	k.polls("jicofo", 1, 2)
	k.changed(t.Context(), "", "")
	k.polls("jicofo", 3, 3)
	wantExported(t, k, names("jicofo", "", 1, 3))
}

func TestPollThatCausesAChangeBelongsToTheIncident(t *testing.T) {
	k := newKept(t, KeepIncidents)
	_, underWay := k.begin("prosody", 1)
	ctx, cause := k.begin("jicofo", 1)
	k.changed(ctx, "i", "i")
	cause.End()
	underWay.End()
	wantExported(t, k, []string{"jicofo 1@i", "prosody 1@i"})

	ctx, cause = k.begin("jicofo", 2)
	k.changed(ctx, "", "i") // which ends it
	cause.End()
	k.polls("jicofo", 3, 3)
	wantExported(t, k, []string{"jicofo 2@i", "jicofo 3"})
}

func TestNameOfAnIncidentIsNotGivenTwice(t *testing.T) {
	k := newKept(t, KeepIncidents)
	k.changed(t.Context(), "i", "i")
	_, root := k.begin("jicofo", 1)
	root.SetAttributes(incidentKey.String("own"))
	root.End()
	_ = k.ForceFlush(t.Context())
	for _, s := range k.exporter.GetSpans() {
		if !s.Parent.IsValid() && !slices.Equal(s.Attributes, []attribute.KeyValue{collectorKey.String("jicofo"), incidentKey.String("own")}) {
			t.Errorf("attributes %v", s.Attributes)
		}
	}
}

func TestKeepAll(t *testing.T) {
	k := newKept(t, KeepAll)
	k.polls("jicofo", 1, 100)
	k.changed(t.Context(), "i", "i")
	k.polls("jicofo", 101, 101)
	wantExported(t, k, names("jicofo", "", 1, 100), []string{"jicofo 101@i"})
	if len(k.rings) != 0 {
		t.Error("polls are kept as well")
	}
}

func TestOtherTracesAreAlwaysExported(t *testing.T) {
	k := newKept(t, KeepIncidents)
	_, root := k.tracer.Start(t.Context(), "verdict down")
	root.End()
	_ = k.ForceFlush(t.Context())
	if n := len(k.exporter.GetSpans()); n != 1 {
		t.Errorf("%d spans exported, want 1", n)
	}
}

// A dump outlives the poll that found its cause.
func TestSpanThatOutlivesItsRoot(t *testing.T) {
	k := newKept(t, KeepIncidents)
	ctx, root := k.begin("jicofo", 1)
	k.changed(ctx, "i", "i")
	_, dump := k.tracer.Start(ctx, "dump jicofo")
	root.End()
	k.changed(t.Context(), "", "i")
	dump.End()
	_ = k.ForceFlush(t.Context())
	spans := k.exporter.GetSpans()
	if last := spans[len(spans)-1]; last.Name != "dump jicofo" || !slices.Contains(last.Attributes, incidentKey.String("i")) {
		t.Errorf("the last span is %s %v", last.Name, last.Attributes)
	}
	if len(k.open) != 0 || k.out.dropped.Load() != 0 {
		t.Errorf("%d traces open, %d spans dropped", len(k.open), k.out.dropped.Load())
	}
}

func TestSpansOfATraceAreBounded(t *testing.T) {
	k := newKept(t, KeepAll)
	ctx, root := k.tracer.Start(t.Context(), "root")
	for range maxSpansPerTrace + 10 {
		_, span := k.tracer.Start(ctx, "child")
		span.End()
	}
	root.End()
	_ = k.ForceFlush(t.Context())
	spans := k.exporter.GetSpans()
	if len(spans) != maxSpansPerTrace+1 || spans[len(spans)-1].Name != "root" {
		t.Errorf("%d spans exported, the last %s", len(spans), spans[len(spans)-1].Name)
	}
	if n := k.out.dropped.Load(); n != 10 {
		t.Errorf("%d spans dropped, want 10", n)
	}
}

func TestOpenTracesAreBounded(t *testing.T) {
	k := newKept(t, KeepAll)
	roots := make([]trace.Span, maxOpenTraces+10)
	for n := range roots {
		_, roots[n] = k.begin("jicofo", n)
	}
	for _, root := range roots {
		root.End()
	}
	wantExported(t, k, names("jicofo", "", 0, maxOpenTraces-1))
	if n := k.out.dropped.Load(); n != 20 { // each with its probe
		t.Errorf("%d spans dropped, want 20", n)
	}
	k.polls("jicofo", 1, 1)
	wantExported(t, k, []string{"jicofo 1"})
}

// recordOnly is a sampler whose spans are recorded, but not for export.
type recordOnly struct{ sdktrace.Sampler }

func (recordOnly) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly, Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
}

func TestUnsampledSpansAreIgnored(t *testing.T) {
	for name, sampler := range map[string]sdktrace.Sampler{"dropped": sdktrace.NeverSample(), "recorded": recordOnly{sdktrace.NeverSample()}} {
		t.Run(name, func(t *testing.T) {
			k := newKept(t, KeepAll, sdktrace.WithSampler(sampler))
			k.polls("jicofo", 1, 2*maxOpenTraces)
			wantExported(t, k)
			if len(k.open) != 0 || k.out.dropped.Load() != 0 {
				t.Errorf("%d traces open, %d spans dropped", len(k.open), k.out.dropped.Load())
			}
		})
	}
}

func TestKeptPollsAreForgottenAtTheEnd(t *testing.T) {
	k := newKept(t, KeepIncidents)
	k.polls("jicofo", 1, 10)
	if err := k.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := k.out.exported.Load() + k.out.dropped.Load(); n != 0 {
		t.Errorf("%d spans exported or dropped", n)
	}
}

func TestKeeperFromManyGoroutines(t *testing.T) {
	k := newKept(t, KeepIncidents)
	var all sync.WaitGroup
	for _, collector := range collectorNames {
		all.Go(func() { k.polls(collector, 1, 500) })
	}
	all.Go(func() {
		for n := range 200 {
			incident := fmt.Sprint("i", n)
			k.changed(t.Context(), incident, incident)
			k.changed(t.Context(), "", incident)
		}
	})
	all.Wait()
	k.changed(t.Context(), "", "") // which releases the rest
	once := map[string]bool{}
	for _, s := range k.exported(t) {
		if once[s] {
			t.Errorf("%s exported twice", s)
		}
		once[s] = true
	}
	if len(k.open) != 0 || k.out.dropped.Load() != 0 {
		t.Errorf("%d traces open, %d spans dropped", len(k.open), k.out.dropped.Load())
	}
}
