package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestPanicInListener checks that a listener that panics hides no step from the other listeners and from the caller,
// and that the third panic ends the process.
func TestPanicInListener(t *testing.T) {
	t.Parallel()
	panics, err := guard.New(noop.NewMeterProvider(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s, steps := &sidecar{guard: panics}, 0
	m := health.NewMonitor(health.Config{ParticipantMax: 5000, DrainGraceScope: health.ScopeJicofo},
		s.guarded("broken", func(context.Context, health.Step, *health.Snapshot) { panic("broken listener") }),
		s.guarded("whole", func(context.Context, health.Step, *health.Snapshot) { steps++ }))
	for i := range 3 {
		at := time.Now().Add(time.Duration(i))
		m.Observe(t.Context(), health.Observation{At: at, StatusFile: &health.StatusFile{Found: true, Contents: "ready"}})
	}
	if steps != 3 {
		t.Errorf("the other listener got %d steps, want 3", steps)
	}
	const want = "3 panics within 1m0s, the last in listener broken: broken listener"
	if err := panics.Run(t.Context()); err == nil || err.Error() != want {
		t.Errorf("Run returned %v, want %s", err, want)
	}
}
