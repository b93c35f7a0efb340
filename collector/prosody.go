package collector

import (
	"context"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// NewProsody returns a Collector that polls prosody's BOSH endpoint, /http-bind, at an origin such as
// http://localhost:5280.
func NewProsody(origin string, o Options) (Collector, error) {
	in, err := newInstruments(o)
	if err != nil {
		return nil, err
	}
	watch := newHangups()
	probe := newHTTPProbe(health.ProbeProsody, origin+"/http-bind", healthLimit, o, in, watch)
	p := newPoller("prosody", o, in, watch, probe)
	p.look = func(ctx context.Context) health.Observation {
		answer, _, _ := probe.run(ctx, anyBody)
		return health.Observation{Prosody: &health.Prosody{Health: answer}}
	}
	return p, nil
}
