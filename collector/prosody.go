package collector

import (
	"context"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// NewProsody polls prosody's BOSH endpoint, /http-bind, at an origin such as http://localhost:5280.
func NewProsody(origin string, o Options) (Collector, error) {
	in, err := newInstruments(o)
	if err != nil {
		return nil, err
	}
	probe := newHTTPProbe("prosody", origin+"/http-bind", healthLimit, o, in)
	look := func(ctx context.Context) health.Observation {
		answer, _, _ := probe.ask(ctx, anyBody)
		return health.Observation{Prosody: &health.Prosody{Health: answer}}
	}
	return &poller{name: "prosody", interval: o.Interval, tracer: in.tracer, observe: o.Observe, look: look, probes: []*httpProbe{probe}}, nil
}
