package collector

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// poller calls look every interval, from start to start. A poll that took longer is followed by the next at once; polls
// never overlap.
type poller struct {
	name     string
	interval time.Duration
	tracer   trace.Tracer
	observe  func(context.Context, health.Observation)
	look     func(context.Context) health.Observation
	probes   []*httpProbe // those that look asks
}

// Run polls until ctx ends. It returns nil.
func (p *poller) Run(ctx context.Context) error {
	defer p.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		start := time.Now()
		p.poll(ctx)
		timer.Reset(time.Until(start.Add(p.interval)))
	}
}

// poll looks once and hands on what was seen, unless the process is ending: what a probe that was broken off sees says
// nothing about the node.
func (p *poller) poll(ctx context.Context) {
	spanCtx, span := p.tracer.Start(ctx, "poll "+p.name, trace.WithNewRoot(),
		trace.WithAttributes(attribute.String("signal.collector", p.name), attribute.String("signal.trigger", string(health.TriggerTick))))
	defer span.End()
	o := p.look(spanCtx)
	if ctx.Err() != nil {
		return
	}
	o.At, o.Trigger = time.Now(), health.TriggerTick
	p.observe(spanCtx, o)
	for _, probe := range p.probes {
		probe.record.flush()
	}
}

// close lets go of the connections that are kept from poll to poll.
func (p *poller) close() {
	for _, probe := range p.probes {
		probe.closeIdle()
	}
}
