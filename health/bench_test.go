package health_test

import (
	"context"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// alternating returns the observations of a working node, with an overloaded jicofo every other time, as a busy node's
// polls give.
func alternating() []health.Observation {
	n := workingNode()
	return []health.Observation{
		n.observe(partJicofo, epoch), n.observe(partProsody, epoch), n.observe(partStatusFile, epoch), overloaded(epoch),
	}
}

func BenchmarkMachineObserve(b *testing.B) {
	b.ReportAllocs()
	m, observations, at := health.NewMachine(defaultConfig()), alternating(), epoch
	for i := 0; b.Loop(); i++ {
		o := observations[i%len(observations)]
		at = at.Add(time.Second)
		o.At = at
		m.Observe(o)
	}
}

func BenchmarkMonitorObserve(b *testing.B) {
	b.ReportAllocs()
	m, observations, at := health.NewMonitor(defaultConfig()), alternating(), epoch
	for i := 0; b.Loop(); i++ {
		o := observations[i%len(observations)]
		at = at.Add(time.Second)
		o.At = at
		m.Observe(context.Background(), o)
	}
}

// BenchmarkMonitorCurrent measures Current with all readers at once. Every reply needs one call of Current.
func BenchmarkMonitorCurrent(b *testing.B) {
	b.ReportAllocs()
	m := health.NewMonitor(defaultConfig())
	observeWorking(m)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if len(m.Current().AgentLine) == 0 {
				b.Error("no agent line")
			}
		}
	})
}
