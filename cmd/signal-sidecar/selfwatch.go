package main

import (
	"context"
	"time"

	"github.com/signal-sidecar/signal-sidecar/collector"
	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/health"
)

// newSelfWatch returns what /health and the watchdog of systemd report: whether the poll loops and the Monitor make
// progress.
func newSelfWatch(c config.Config, s *sidecar) *collector.SelfWatch {
	return &collector.SelfWatch{
		Interval: c.Interval, Timeout: c.Timeout, Loops: s.collectors, Deciding: deciding,
		Others: []func(time.Time) error{s.monitor.Overdue},
	}
}

// guarded returns a listener whose panics do not reach the other listeners and the poll loop that calls it.
func (s *sidecar) guarded(name string, listen health.Listener) health.Listener {
	return func(ctx context.Context, step health.Step, after *health.Snapshot) {
		defer s.guard.Catch(ctx, guard.Listener, name)
		listen(ctx, step, after)
	}
}

// runMonitor runs the Monitor, again after a panic.
func (s *sidecar) runMonitor(ctx context.Context) error {
	return s.guard.Loop(ctx, guard.Monitor, "deadline", 0, s.monitor.Run)
}
