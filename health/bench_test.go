package health_test

import (
	"context"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// alternating returns a working node's observations, every other jicofo overloaded, as a busy node's polls bring them.
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

// BenchmarkMonitorCurrent is what every answer costs: all readers at once.
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
