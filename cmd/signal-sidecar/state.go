package main

import (
	"context"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/state"
)

// keepState makes the keeper of the state with STATE_PATH. It returns its listener.
func (s *sidecar) keepState(c config.Config) (listeners []health.Listener, err error) {
	if c.StatePath == "" {
		return nil, nil
	}
	s.state, err = state.New(state.Options{
		Path: c.StatePath, Rules: c.Rules, MeterProvider: s.telemetry.MeterProvider, Logger: s.log,
	})
	return []health.Listener{s.guarded("state", s.state.Listen)}, err
}

// restoreState makes the monitor continue with the state of the previous process, if there is one.
func (s *sidecar) restoreState(ctx context.Context) {
	if s.state == nil {
		return
	}
	if saved := s.state.Load(ctx); saved != nil {
		s.monitor.Restore(saved.Checkpoint, saved.Age)
		s.consul.resume(saved.Applied)
	}
}
