package collector

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/health"
)

// minBackoff is the delay before a poll is repeated because this process lacked resources. It doubles each time.
const minBackoff = 100 * time.Millisecond

// maxHangupPause is the time from the start of a poll after a hang-up to the start of the next such poll. A shorter
// recovery interval replaces it.
const maxHangupPause = time.Second

// toleranceInterval is the time between the starts of two polls while a failure of the service is tolerated.
const toleranceInterval = 100 * time.Millisecond

// poller calls look at every interval, measured from start to start; at every recovery interval while the observation
// is unhealthy; at every toleranceInterval while that is tolerated; and at once when the service closes a kept
// connection. If a poll takes longer, the next one follows at once. Polls never overlap.
type poller struct {
	progress
	interval time.Duration
	recovery time.Duration // at most interval
	timeout  time.Duration // the longest duration of look
	tracer   trace.Tracer
	observe  func(context.Context, health.Observation)
	look     func(context.Context) health.Observation
	tolerate func() bool // called after each poll; nil for never
	guard    *guard.Guard
	hangups  hangups
	probes   []*httpProbe // the probes whose connections are kept
	records  []*recorder  // the recorders of all probes in look

	lastHangup time.Time     // start of the latest poll that a hang-up caused
	backoff    time.Duration // delay before the latest poll was repeated, 0 if it was not
}

func newPoller(name string, o Options, in instruments, h hangups, probes ...*httpProbe) *poller {
	p := &poller{
		progress: progress{name: name}, interval: o.Interval, recovery: o.Interval, timeout: o.Timeout,
		tracer: in.tracer, observe: o.Observe, guard: o.Guard, hangups: h, probes: probes,
	}
	for _, probe := range probes {
		p.records = append(p.records, probe.record)
	}
	if o.Tolerates != nil {
		p.tolerate = func() bool { return o.Tolerates(name) }
	}
	if o.Recovery > 0 {
		p.recovery = min(o.Recovery, o.Interval)
	}
	return p
}

// plan is the time of the next poll and what triggers it.
type plan struct {
	at      time.Time
	trigger health.Trigger
}

// Run polls until ctx ends. It always returns nil.
func (p *poller) Run(ctx context.Context) error {
	defer p.close()
	next := plan{time.Now(), health.TriggerTick}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.hangups:
			next = p.hurry(next)
		case <-timer.C:
			next = p.tryPoll(ctx, next.trigger)
		}
		timer.Reset(max(time.Until(next.at), 0))
	}
}

// hurry moves the next poll forward after a hang-up.
func (p *poller) hurry(next plan) plan {
	at := time.Now()
	if earliest := p.lastHangup.Add(min(maxHangupPause, p.recovery)); at.Before(earliest) {
		at = earliest
	}
	if !at.Before(next.at) {
		return next
	}
	p.expect(at)
	return plan{at, health.TriggerHangup}
}

// tryPoll polls. A poll that panics has observed nothing: it has no result, and is made again one interval later. Until
// then it is overdue.
func (p *poller) tryPoll(ctx context.Context, trigger health.Trigger) (next plan) {
	polled := false
	defer func() {
		if polled {
			return
		}
		next = plan{time.Now().Add(p.interval), trigger}
		p.fail()
		for _, record := range p.records {
			record.abandon()
		}
	}()
	defer p.guard.Catch(ctx, guard.Poll, p.name)
	next = p.poll(ctx, trigger)
	polled = true
	return next
}

// poll calls look once and passes the observation on. It returns the plan of the next poll.
func (p *poller) poll(ctx context.Context, trigger health.Trigger) plan {
	start := time.Now()
	p.begin(start, start.Add(p.timeout))
	p.hangups.forget()
	if trigger == health.TriggerHangup {
		p.lastHangup = start
	}
	spanCtx, span := beginPoll(ctx, p.tracer, p.name, trigger, start)
	defer span.End()
	o := p.look(spanCtx)
	if ctx.Err() != nil { // this process is ending: interrupted probes have no information about the node
		for _, record := range p.records {
			record.abandon()
		}
		return plan{start, trigger}
	}
	defer p.publish(o)
	if !conclusive(o) {
		return p.again(trigger)
	}
	p.backoff = 0
	o.At, o.Trigger = time.Now(), trigger
	p.observe(spanCtx, o)
	next := plan{start.Add(p.interval), health.TriggerTick}
	if p.recovery < p.interval && o.Failed() {
		next = plan{start.Add(p.recovery), health.TriggerRecovery}
	}
	if p.tolerate != nil && o.Failed() && p.tolerate() {
		next = plan{start.Add(min(toleranceInterval, p.recovery)), health.TriggerRecovery}
	}
	if now := time.Now(); next.at.Before(now) {
		next.at = now
	}
	p.end(next.at)
	return next
}

// again plans to repeat a poll that has no information about the node, because this process lacked the resources.
func (p *poller) again(trigger health.Trigger) plan {
	p.backoff = min(max(minBackoff, 2*p.backoff), p.interval)
	p.fail()
	return plan{time.Now().Add(p.backoff), trigger}
}

// publish traces, measures and logs the results of the probes. The observation has been passed on before.
func (p *poller) publish(o health.Observation) {
	for _, result := range o.Results() {
		for _, record := range p.records {
			if record.probe == result.Probe {
				record.publish(result)
			}
		}
	}
}

// beginPoll starts the trace of a poll.
func beginPoll(
	ctx context.Context, tracer trace.Tracer, collector string, trigger health.Trigger, start time.Time,
) (context.Context, trace.Span) {
	return tracer.Start(ctx, "poll "+collector, trace.WithNewRoot(), trace.WithTimestamp(start), trace.WithAttributes(
		attribute.String("signal.collector", collector), attribute.String("signal.trigger", string(trigger))))
}

// close closes the connections that are kept between polls.
func (p *poller) close() {
	for _, probe := range p.probes {
		probe.connections.close()
	}
}
