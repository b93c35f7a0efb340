package collector

import (
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
)

// probeOnce polls a prosody with the given behavior once, and returns the observation.
func probeOnce(t *testing.T, behavior string) (*rig, sighting) {
	t.Helper()
	node, err := signalnode.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	node.Prosody.Set("", signalnode.MustParseBehavior(behavior))
	r := newRig(t)
	stop := r.run(NewProsody(node.Prosody.Origin(), r.options))
	seen := r.next()
	stop()
	return r, seen
}

// TestExchangeOfFailures checks that the result of a failed probe has its request, the reply, and each attempt with its
// steps in order.
func TestExchangeOfFailures(t *testing.T) {
	for behavior, want := range map[string]struct {
		attempts, code int
	}{
		"code 503": {attempts: 1, code: 503},
		"code 404": {attempts: 1, code: 404},
		"reset":    {attempts: 3},
		"garbage":  {attempts: 3},
	} {
		t.Run(behavior, func(t *testing.T) {
			_, seen := probeOnce(t, behavior)
			e := seen.Prosody.Health.Exchange
			if e == nil {
				t.Fatal("nothing was kept")
			}
			if !strings.HasSuffix(e.URL, "/http-bind") ||
				e.TraceID != trace.SpanContextFromContext(seen.ctx).TraceID().String() {
				t.Errorf("asked %s in trace %s", e.URL, e.TraceID)
			}
			if len(e.Attempts) != want.attempts {
				t.Fatalf("%d attempts, want %d", len(e.Attempts), want.attempts)
			}
			for i, a := range e.Attempts {
				if steps := []float64{a.ConnectDone, a.RequestSent, a.FirstByte, a.Done}; want.code != 0 &&
					(a.ConnectDone == 0 || !slices.IsSorted(steps)) {
					t.Errorf("attempt %d: connected, sent, first byte and done at %v s", i, steps)
				}
				if a.Code != want.code || (a.Error == "") != (want.code != 0) || a.Start.IsZero() || a.Done == 0 {
					t.Errorf("attempt %d: %+v", i, a)
				}
			}
		})
	}
}

// TestExchangeBody checks that the first 256 bytes of a reply are kept, in the observation and in the span.
func TestExchangeBody(t *testing.T) {
	node, err := signalnode.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	body := strings.Repeat("not what is wanted ", 100)
	node.Jicofo.Set("/stats", signalnode.MustParseBehavior("body "+body))
	r := newRig(t)
	stop := r.run(NewJicofo(node.Jicofo.Origin(), r.options))
	seen := r.next()
	stop()
	if seen.Jicofo.Health.Exchange != nil {
		t.Error("an exchange was kept of a probe that found what it should")
	}
	e := seen.Jicofo.Stats.Exchange
	if e == nil || e.Body != body[:256] {
		t.Fatalf("kept %+v", e)
	}
	found := false
	for _, span := range r.spans.Ended() {
		for _, a := range span.Attributes() {
			found = found || a.Key == "signal.response.body" && a.Value.AsString() == body[:256]
		}
	}
	if !found {
		t.Error("no span has the body")
	}
}

// TestAttemptEvents checks that the span of an attempt has an event for each step of its connection.
func TestAttemptEvents(t *testing.T) {
	r, _ := probeOnce(t, "healthy")
	var events []string
	for _, span := range r.spans.Ended() {
		for _, e := range span.Events() {
			events = append(events, e.Name)
		}
	}
	for _, want := range []string{"http.connect.", "http.getconn.done", "http.send.done", "http.receive.start"} {
		if !slices.ContainsFunc(events, func(name string) bool { return strings.HasPrefix(name, want) }) {
			t.Errorf("no event %s among %v", want, events)
		}
	}
}

// TestTriggers checks that an observation has its trigger.
func TestTriggers(t *testing.T) {
	r := newFileRig(t)
	write(t, r.path, "ready")
	r.start()
	if first := r.next(); first.Trigger != health.TriggerTick {
		t.Errorf("the first look was triggered by %q", first.Trigger)
	}
	write(t, r.path, "drain")
	if edited := r.next(); edited.Trigger != health.TriggerStatusFile {
		t.Errorf("the edit was seen by %q", edited.Trigger)
	}
	if _, seen := probeOnce(t, "healthy"); seen.Trigger != health.TriggerTick {
		t.Errorf("the poll was triggered by %q", seen.Trigger)
	}
}
