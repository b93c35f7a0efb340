package main

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/consul"
	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/rest"
	"github.com/signal-sidecar/signal-sidecar/state"
)

// consulClientOptions returns how Consul is reached with these settings.
func consulClientOptions(c config.ConsulClient) consul.ClientOptions {
	return consul.ClientOptions{
		URL: c.URL, Token: c.Token, TokenFile: c.TokenFile, User: c.User, Password: c.Password,
		CAFile: c.CAFile, CAPath: c.CAPath, CertFile: c.CertFile, KeyFile: c.KeyFile,
		ServerName: c.ServerName, Insecure: c.Insecure, Namespace: c.Namespace, Partition: c.Partition,
	}
}

// consulParts are the parts that use Consul.
type consulParts struct {
	watch     *consul.Watch     // nil without CONSUL_STATUS
	publisher *consul.Publisher // nil without CONSUL_REPORTS
	fleet     *fleetPages       // nil without CONSUL_FLEET
}

// newConsul makes the parts that use Consul. The monitor of s need not exist yet.
func (s *sidecar) newConsul(c config.Config) (p consulParts, err error) {
	if c.Consul.Fleet {
		if p.fleet, err = newFleetPages(c.Consul, s.guard); err != nil {
			return p, err
		}
	}
	o := consulClientOptions(c.Consul.Client)
	if c.Consul.Status {
		client, err := consul.NewClient(o)
		if err != nil {
			return p, err
		}
		p.watch, err = consul.NewWatch(consul.WatchOptions{
			Client: client, Key: c.Consul.StatusKey, Path: c.StatusPath,
			FileWord:       s.fileWord,
			OnApplied:      s.keepApplied(c.Consul.StatusKey),
			TracerProvider: s.telemetry.TracerProvider, MeterProvider: s.telemetry.MeterProvider, Logger: s.log,
		})
		if err != nil {
			return p, err
		}
	}
	if c.Consul.Reports {
		o.TracerProvider = s.telemetry.TracerProvider
		client, err := consul.NewClient(o)
		if err != nil {
			return p, err
		}
		p.publisher, err = consul.NewPublisher(consul.PublisherOptions{
			Client: client, Key: c.Consul.ReportKey, Interval: c.Consul.Interval, Census: c.Consul.CensusReports,
			Source: currentSnapshot(func() *health.Snapshot { return s.monitor.Current() }), StatusFound: p.statusFound(),
			TracerProvider: s.telemetry.TracerProvider, MeterProvider: s.telemetry.MeterProvider, Logger: s.log,
		})
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// keepApplied returns a function that keeps which value of the key was applied, nil without STATE_PATH.
func (s *sidecar) keepApplied(key string) func(modifyIndex uint64) {
	if s.state == nil {
		return nil
	}
	return func(modifyIndex uint64) { s.state.SetApplied(state.Applied{Key: key, ModifyIndex: modifyIndex}) }
}

// resume takes over which value the previous process has applied, nil for none. It must be called before start.
func (p consulParts) resume(applied *state.Applied) {
	if p.watch != nil && applied != nil && applied.Key == p.watch.Key {
		p.watch.Resume(applied.ModifyIndex)
	}
}

// source returns what the page and /signal/explain show, nil without Consul.
func (p consulParts) source() rest.ConsulSource {
	if p.watch == nil && p.publisher == nil {
		return nil
	}
	return func() (status *rest.Consul, reports *rest.ConsulReports) {
		if p.watch != nil {
			s := p.watch.Status()
			status = &rest.Consul{Key: s.Key, Changed: timeOf(s.Changed), Problem: s.Problem, Error: s.Error}
			if s.Found {
				status.Value = &s.Value
			}
		}
		if p.publisher != nil {
			s := p.publisher.Published()
			reports = &rest.ConsulReports{Key: s.Key, Put: timeOf(s.At), Problem: s.Problem, Error: s.Error}
		}
		return status, reports
	}
}

// timeOf returns nil for no time.
func timeOf(t time.Time) *health.Time {
	if t.IsZero() {
		return nil
	}
	return new(health.Time(t))
}

// currentSnapshot is a source of snapshots.
type currentSnapshot func() *health.Snapshot

// Current returns the current snapshot.
func (f currentSnapshot) Current() *health.Snapshot { return f() }

// fileWord returns the word in the status file, as it was observed; "" if it was not observed yet.
func (s *sidecar) fileWord() health.Word {
	if f := s.monitor.Current().StatusFile; f != nil {
		return f.Word()
	}
	return ""
}

// statusFound returns a function that reports whether the status key exists, nil without CONSUL_STATUS.
func (p consulParts) statusFound() func() bool {
	if p.watch == nil {
		return nil
	}
	return func() bool { return p.watch.Status().Found }
}

// consulListeners returns what the monitor has to call.
func (s *sidecar) consulListeners() []health.Listener {
	if s.consul.publisher == nil {
		return nil
	}
	return []health.Listener{s.guarded("consul", s.consul.publisher.Listen)}
}

// fleetPage returns what the page /fleet shows, nil without CONSUL_FLEET.
func (p consulParts) fleetPage() rest.Fleet {
	if p.fleet == nil {
		return nil
	}
	return p.fleet
}

// panicPause is the time from a panic of a part until it runs again.
const panicPause = 10 * time.Second

// start runs the parts.
func (p consulParts) start(ctx context.Context, group *errgroup.Group, g *guard.Guard) {
	loop := func(name string, run func(context.Context) error) {
		group.Go(func() error { return g.Loop(ctx, guard.Consul, name, panicPause, run) })
	}
	if p.watch != nil {
		loop("status", p.watch.Run)
	}
	if p.fleet != nil {
		group.Go(func() error { return p.fleet.watcher.Run(ctx) })
	}
	if p.publisher != nil {
		loop("reports", p.publisher.Run)
	}
}
