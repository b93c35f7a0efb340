package guard

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// newGuard returns a Guard with a log and a function that returns the value of the counter for each part.
func newGuard(t *testing.T) (*Guard, *testbed.LogBuffer, func() map[string]int64) {
	t.Helper()
	log, reader := new(testbed.LogBuffer), sdkmetric.NewManualReader()
	g, err := New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return g, log, func() map[string]int64 {
		var all metricdata.ResourceMetrics
		if err := reader.Collect(context.Background(), &all); err != nil {
			t.Fatal(err)
		}
		counts := map[string]int64{}
		for _, p := range all.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints {
			part, _ := p.Attributes.Value("part")
			counts[part.AsString()] = p.Value
		}
		return counts
	}
}

func fail(g *Guard, part Part) {
	defer g.Catch(context.Background(), part, "name")
	panic("broken")
}

// TestCatch checks that a panic is logged with its stack and counted, and that all parts are counted from the start.
func TestCatch(t *testing.T) {
	g, log, counts := newGuard(t)
	fail(g, Listener)
	want := map[string]int64{"poll": 0, "monitor": 0, "listener": 1, "handler": 0}
	for part, n := range want {
		if got, ok := counts()[part]; !ok || got != n {
			t.Errorf("%s counts %d, want %d", part, got, n)
		}
	}
	for _, part := range []string{"level=ERROR msg=panic part=listener name=name panic=broken", "guard.fail("} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("no %q in %s", part, log)
		}
	}
}

// TestTooManyPanics checks that the third panic within a minute ends Run, and that panics of handlers and
// of what uses Consul do not.
func TestTooManyPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _, _ := newGuard(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		result := make(chan error, 1)
		go func() { result <- g.Run(ctx) }()
		for range 10 {
			fail(g, Handler)
			fail(g, Consul)
		}
		for range 5 { // always two within a minute
			fail(g, Poll)
			time.Sleep(31 * time.Second)
		}
		synctest.Wait()
		select {
		case err := <-result:
			t.Fatalf("Run returned %v too early", err)
		default:
		}
		fail(g, Monitor)
		fail(g, Listener)
		synctest.Wait()
		const want = "3 panics within 1m0s, the last in listener name: broken"
		if err := <-result; err == nil || err.Error() != want {
			t.Errorf("Run returned %v, want %s", err, want)
		}
	})
}

// TestLoop checks that a function runs again a while after a panic, and no more after it returned.
func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _, _ := newGuard(t)
		runs, began := 0, time.Now()
		err := g.Loop(t.Context(), Consul, "status", time.Second, func(context.Context) error {
			if runs++; runs < 3 {
				panic("broken")
			}
			return nil
		})
		if passed := time.Since(began); err != nil || runs != 3 || passed != 2*time.Second {
			t.Errorf("%d runs in %s, %v", runs, passed, err)
		}
	})
}

func breakDown() { panic("broken") }

// TestTogether checks that a panic on another goroutine can be caught, after all functions have ended, and that the
// stack in the log is that of the function.
func TestTogether(t *testing.T) {
	g, log, _ := newGuard(t)
	ended := false
	func() {
		defer g.Catch(t.Context(), Poll, "jicofo")
		Together(breakDown, func() { ended = true })
		t.Error("Together returned")
	}()
	if !ended || !strings.Contains(log.String(), "guard.breakDown(") {
		t.Errorf("ended %t, log: %s", ended, log)
	}
}
