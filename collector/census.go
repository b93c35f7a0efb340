package collector

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const censusLimit = 32 << 20 // bytes

// NewCensus returns a Collector that polls prosody's room census, /room-census. host is the Host header; "" means the
// host of the origin.
func NewCensus(origin, host string, o Options) (Collector, error) {
	in, err := newInstruments(o)
	if err != nil {
		return nil, err
	}
	watch := newHangups()
	probe := newHTTPProbe(health.ProbeCensus, origin+"/room-census", censusLimit, o, in, watch)
	probe.host = host
	odd := oddRooms{log: o.Logger.With("probe", string(health.ProbeCensus))}
	o.Recovery, o.Tolerates = 0, nil // the interval of the census does not change when it fails
	p := newPoller("census", o, in, watch, probe)
	p.look = func(ctx context.Context) health.Observation {
		var found rooms
		answer, _, invalid := probe.run(ctx, func(body []byte) (err error) {
			found, err = parseCensus(body)
			return err
		})
		seen := &health.Census{Answer: answer, Problem: problem(invalid)}
		if seen.OK() {
			seen.Rooms, seen.Participants, seen.SumSquared = found.rows, found.participants, found.squared
			seen.Leaked, seen.Odd = found.leaked, found.odd
			odd.record(ctx, found)
		}
		return health.Observation{Census: seen}
	}
	return p, nil
}

// oddRooms logs when rows without a usable number of participants first occur and when they no longer do. It does not
// log at each census.
type oddRooms struct {
	log  *slog.Logger
	seen bool // in the latest census that succeeded
}

func (o *oddRooms) record(ctx context.Context, found rooms) {
	switch seen := found.odd > 0; {
	case seen && !o.seen:
		o.log.WarnContext(ctx, "census has rooms without a usable number of participants, which count as 0",
			"rooms", found.odd, "first", found.firstOdd)
	case !seen && o.seen:
		o.log.InfoContext(ctx, "every room of the census has a usable number of participants again")
	}
	o.seen = found.odd > 0
}

// rooms is the content of a census.
type rooms struct {
	rows                  []byte  // the JSON array as prosody sent it
	participants, squared float64 // sums over the rooms, finite
	leaked                int     // rooms with leaked: true
	odd                   int     // rows without a usable number of participants
	firstOdd              string  // describes the first such row
}

// add counts a row.
func (r *rooms) add(index int, row room) {
	r.participants = finite(r.participants + row.participants)
	r.squared = finite(r.squared + row.participants*row.participants)
	if row.leaked {
		r.leaked++
	}
	if row.odd == "" {
		return
	}
	if r.odd == 0 {
		r.firstOdd = text(bytes.TrimSpace(fmt.Appendf(nil, "room %d: %s %.40s", index+1, row.odd, row.oddValue)))
	}
	r.odd++
}
