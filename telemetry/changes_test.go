package telemetry

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const changesName = "signal_verdict_changes_total"

// TestChangesAreCounted checks the counts by resulting state and reason. An observation without a change is not
// counted.
func TestChangesAreCounted(t *testing.T) {
	s, ctx := newStage(t, rules), t.Context()
	s.upReady(ctx)
	s.upReady(ctx)                     // no change
	s.observe(ctx, jicofo(200, 10, 1)) // another load is no change either
	s.observe(ctx, statusFile("drain"))
	s.observe(ctx, statusFile("ready"))
	s.observe(ctx, jicofo(503, 0, 0))
	s.observe(ctx, prosody(500))
	s.observe(ctx, prosody(502)) // the same verdict
	s.upReady(ctx)
	want := map[string]float64{
		changesName + "{reason=none,to=ready}":              2,
		changesName + "{reason=status_drain,to=drain}":      1,
		changesName + "{reason=jicofo_overloaded,to=drain}": 1,
		changesName + "{reason=prosody_unhealthy,to=down}":  1,
		changesName + "{reason=dampening,to=down}":          1,
	}
	got := s.values(t, changesName)
	maps.DeleteFunc(got, func(_ string, n float64) bool { return n == 0 })
	if !maps.Equal(got, want) {
		t.Errorf("counted %v\nwant %v", got, want)
	}
}

// TestChangesAreLogged checks that each change has one log line with the reply before and after, and the reasons.
func TestChangesAreLogged(t *testing.T) {
	s, ctx := newStage(t, rules), t.Context()
	s.upReady(ctx)
	s.upReady(ctx)
	s.observe(ctx, jicofo(503, 0, 0))
	s.observe(ctx, prosody(500))
	s.observe(ctx, prosody(500))
	got := entries(t, s.log, "verdict changed")
	want := []string{
		`"" > "up ready 100%" damped=false reasons=[] until=<nil>`,
		`"up ready 100%" > "up drain 0%" damped=true ` +
			`reasons=[jicofo_overloaded: jicofo answered 503] until=2026-01-02T03:06:05.678Z`,
		`"up drain 0%" > "down ready 0%" damped=false ` +
			`reasons=[prosody_unhealthy: prosody answered 500 jicofo_overloaded: jicofo answered 503] until=<nil>`,
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines:\n%s", len(got), s.log)
	}
	for i, line := range got {
		text := fmt.Sprintf("%q > %q damped=%v reasons=%v until=%v",
			line["from"], line["to"], line["damped"], line["reasons"], line["until"])
		if text != want[i] || line["level"] != "INFO" {
			t.Errorf("line %d is %s %s\nwant %s", i, line["level"], text, want[i])
		}
	}
}

// TestChangesAreTraced checks that each change has a span in its own trace, linked to the probe that caused it.
func TestChangesAreTraced(t *testing.T) {
	s := newStage(t, rules)
	s.upReady(context.Background()) // its cause is not traced
	ctx, probe := s.tracing.Tracer("test").Start(t.Context(), "poll jicofo")
	s.observe(ctx, jicofo(200, 5, 5))
	s.observe(ctx, jicofo(503, 0, 0))
	probe.End()

	spans := s.spans.Ended()
	if len(spans) != 3 { // including the span of the probe
		t.Fatalf("%d spans", len(spans))
	}
	first, change := spans[0], spans[1]
	if first.Name() != "verdict ready" || len(first.Links()) != 0 || first.Parent().IsValid() {
		t.Errorf("the first is %q, links %v", first.Name(), first.Links())
	}
	if change.Name() != "verdict drain" || change.Parent().IsValid() ||
		change.SpanContext().TraceID() == probe.SpanContext().TraceID() {
		t.Errorf("the change is %q in trace %s, parent %v", change.Name(), change.SpanContext().TraceID(), change.Parent())
	}
	if links := change.Links(); len(links) != 1 || !links[0].SpanContext.Equal(probe.SpanContext()) {
		t.Errorf("the change is linked to %v, caused by %v", links, probe.SpanContext())
	}
	want := []attribute.KeyValue{
		attribute.String("signal.verdict.from", "up ready 100%"),
		attribute.String("signal.verdict.to", "up drain 0%"),
		attribute.Bool("signal.verdict.damped", true),
		attribute.StringSlice("signal.verdict.reasons", []string{"jicofo_overloaded"}),
		attribute.String("incident.id", "20260102T030405.678Z-"),
	}
	if got := change.Attributes(); !slices.Equal(got, want) {
		t.Errorf("attributes %v\nwant %v", got, want)
	}
}

// TestChangesBeginAtZero checks that exactly the states and reasons that a verdict can have are counted from the start.
func TestChangesBeginAtZero(t *testing.T) {
	got := newStage(t, rules).values(t, changesName)
	for _, sr := range health.StateReasons() {
		if value, ok := got[series(sr.State, sr.Reason)]; !ok || value != 0 {
			t.Errorf("%v is %v (shown: %t)", sr, value, ok)
		}
	}
	if len(got) != len(health.StateReasons()) {
		t.Errorf("%d series for %d states with reasons: %v", len(got), len(health.StateReasons()), got)
	}
}

func series(to string, reason health.Code) string {
	return changesName + "{reason=" + string(reason) + ",to=" + to + "}"
}

// TestEveryReasonIsALabel checks the spelling of the codes of the reasons, which are labels.
func TestEveryReasonIsALabel(t *testing.T) {
	spelling := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for _, code := range health.Codes {
		if !spelling.MatchString(string(code)) {
			t.Errorf("%q is no word for a label", code)
		}
	}
}
