package history_test

import (
	"context"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
)

// BenchmarkListen measures the cost of the history for each observation.
func BenchmarkListen(b *testing.B) {
	h := history.New()
	m := health.NewMonitor(settings, h.Listen)
	for _, o := range []health.Observation{jicofo(ok, ok), prosody(ok), word("ready")} {
		m.Observe(context.Background(), at(o, 0))
	}
	o := prosody(refused)
	b.ReportAllocs()
	for b.Loop() {
		o.At = time.Now()
		m.Observe(context.Background(), o)
	}
}
