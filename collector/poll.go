package collector

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// maxHangupPause is from the start of a poll that a hang-up caused to the start of the next one; less where the recovery
// interval is.
const maxHangupPause = time.Second

// toleranceInterval is from the start of a poll to the start of the next while the service is tolerated.
const toleranceInterval = 100 * time.Millisecond

// poller calls look every interval, from start to start; every recovery interval while what it saw is unhealthy; every
// toleranceInterval while that is tolerated; and at once when the service hangs up. A poll that took longer is followed by
// the next at once; polls never overlap.
type poller struct {
	progress
	interval time.Duration
	recovery time.Duration // at most interval
	timeout  time.Duration // in which look returns
	tracer   trace.Tracer
	observe  func(context.Context, health.Observation)
	look     func(context.Context) health.Observation
	healthy  func(health.Observation) bool
	tolerate func() bool // asked after each poll; nil for never
	hangups  *hangups
	probes   []*httpProbe // those that look asks

	lastHangup time.Time // start of the latest poll that a hang-up caused
}

func newPoller(name string, o Options, in instruments, h *hangups, probes ...*httpProbe) *poller {
	p := &poller{
		progress: progress{name: name}, interval: o.Interval, recovery: o.Interval, timeout: o.Timeout,
		tracer: in.tracer, observe: o.Observe, hangups: h, probes: probes,
		healthy: func(health.Observation) bool { return true },
	}
	if o.Tolerates != nil {
		p.tolerate = func() bool { return o.Tolerates(name) }
	}
	if o.Recovery > 0 {
		p.recovery = min(o.Recovery, o.Interval)
	}
	return p
}

// plan is when to poll next, and what for.
type plan struct {
	at      time.Time
	trigger health.Trigger
}

// Run polls until ctx ends. It returns nil.
func (p *poller) Run(ctx context.Context) error {
	defer p.close()
	next := plan{time.Now(), health.TriggerTick}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.hangups.alarm:
			next = p.hurry(next)
		case <-timer.C:
			next = p.poll(ctx, next.trigger)
		}
		wait := max(time.Until(next.at), 0)
		p.expect(time.Now().Add(wait))
		timer.Reset(wait)
	}
}

// hurry brings the next poll forward because of a hang-up, unless the service was asked since.
func (p *poller) hurry(next plan) plan {
	at := time.Now()
	if earliest := p.lastHangup.Add(min(maxHangupPause, p.recovery)); at.Before(earliest) {
		at = earliest
	}
	if !p.hangups.pending() || next.at.Before(at) {
		return next
	}
	return plan{at, health.TriggerHangup}
}

// poll looks once and hands on what was seen, unless that says nothing about the node: because the process is ending and
// the probes were broken off, or because it has no means left to ask. It returns when to poll next.
func (p *poller) poll(ctx context.Context, trigger health.Trigger) plan {
	start := time.Now()
	p.expect(start.Add(p.timeout))
	if trigger == health.TriggerHangup {
		p.lastHangup = start
	}
	spanCtx, span := beginPoll(ctx, p.tracer, p.name, trigger, start)
	defer span.End()
	o := p.look(spanCtx)
	if ctx.Err() == nil {
		if o.At, o.Trigger = time.Now(), trigger; conclusive(o) {
			p.observe(spanCtx, o)
		}
		for _, probe := range p.probes {
			probe.record.flush()
		}
	}
	if p.tolerate != nil && !p.healthy(o) && p.tolerate() {
		return plan{start.Add(min(toleranceInterval, p.recovery)), health.TriggerRecovery}
	}
	if p.recovery < p.interval && !p.healthy(o) {
		return plan{start.Add(p.recovery), health.TriggerRecovery}
	}
	return plan{start.Add(p.interval), health.TriggerTick}
}

// beginPoll begins the trace of a poll.
func beginPoll(
	ctx context.Context, tracer trace.Tracer, collector string, trigger health.Trigger, start time.Time,
) (context.Context, trace.Span) {
	return tracer.Start(ctx, "poll "+collector, trace.WithNewRoot(), trace.WithTimestamp(start), trace.WithAttributes(
		attribute.String("signal.collector", collector), attribute.String("signal.trigger", string(trigger))))
}

// close lets go of the connections that are kept from poll to poll.
func (p *poller) close() {
	for _, probe := range p.probes {
		probe.closeIdle()
	}
}
