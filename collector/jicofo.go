package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	healthLimit = 64 << 10 // bytes
	statsLimit  = 1 << 20  // bytes
)

// NewJicofo returns a Collector that polls jicofo's /about/health and /stats concurrently, at an origin such as
// http://localhost:8888.
func NewJicofo(origin string, o Options) (Collector, error) {
	in, err := newInstruments(o)
	if err != nil {
		return nil, err
	}
	watch := newHangups()
	j := &jicofo{
		health: newHTTPProbe(health.ProbeJicofoHealth, origin+"/about/health", healthLimit, o, in, watch),
		stats:  newHTTPProbe(health.ProbeJicofoStats, origin+"/stats", statsLimit, o, in, watch),
	}
	p := newPoller("jicofo", o, in, watch, j.health, j.stats)
	p.look = j.look
	return p, nil
}

type jicofo struct{ health, stats *httpProbe }

func (j *jicofo) look(ctx context.Context) health.Observation {
	seen := new(health.Jicofo)
	guard.Together(func() {
		var body []byte
		seen.Health, body, _ = j.health.run(ctx, anyBody)
		seen.Contents = text(body)
	}, func() {
		var participants, conferences float64
		answer, _, invalid := j.stats.run(ctx, func(body []byte) (err error) {
			participants, conferences, err = parseStats(body)
			return err
		})
		seen.Stats, seen.StatsProblem = answer, problem(invalid)
		if seen.StatsParsed() {
			seen.Participants, seen.Conferences = participants, conferences
		}
	})
	return health.Observation{Jicofo: seen}
}

// parseStats reads participants and conferences from jicofo's statistics, a JSON object whose other keys are ignored.
// Both must be numbers. Negative numbers count as 0.
func parseStats(body []byte) (participants, conferences float64, err error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(body, &keys); err != nil {
		return 0, 0, notAnObject(body, err)
	}
	participants, errP := number(keys, "participants")
	conferences, errC := number(keys, "conferences")
	return participants, conferences, errors.Join(errP, errC)
}

func number(keys map[string]json.RawMessage, key string) (float64, error) {
	raw, ok := keys[key]
	if !ok {
		return 0, fmt.Errorf("%s is missing", key)
	}
	var n *float64
	if err := json.Unmarshal(raw, &n); err != nil || n == nil {
		return 0, fmt.Errorf("%s is not a number: %.40s", key, raw)
	}
	return max(*n, 0), nil
}
