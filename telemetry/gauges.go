package telemetry

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// gauges are the metrics of the current snapshot. Those with underscores have the names of the original, which its
// dashboards use.
type gauges struct {
	all []metric.Observable
	err error // the first one

	health, census, sumSquared   metric.Float64ObservableGauge
	unhealthyRuns                metric.Int64ObservableCounter
	rawHealth, damped            metric.Float64ObservableGauge
	reason, status, weight       metric.Float64ObservableGauge
	tolerated                    metric.Float64ObservableGauge
	participants, conferences    metric.Float64ObservableGauge
	censusParticipants, lastSeen metric.Float64ObservableGauge
	leakedRooms, oddRooms        metric.Int64ObservableGauge
}

func newGauges(meter metric.Meter) *gauges {
	g := new(gauges)
	gauge := func(name, unit, description string) metric.Float64ObservableGauge {
		i, err := meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		g.add(i, err)
		return i
	}
	count := func(name, description string) metric.Int64ObservableGauge {
		i, err := meter.Int64ObservableGauge(name, metric.WithUnit("{room}"), metric.WithDescription(description))
		g.add(i, err)
		return i
	}
	g.health = gauge("signal_health", "{node}", "Health of the node as reported, 1 or 0.")
	g.census = gauge("signal_census", "{census}", "Whether the last poll of the census succeeded, 1 or 0.")
	g.sumSquared = gauge("prosody_participant_sum_squared", "{participant_squared}",
		"Sum over the rooms of the census of their participants squared.")
	g.rawHealth = gauge("signal.verdict.raw_health", "{node}",
		"Health of the node as observed, before flap mitigation, 1 or 0.")
	g.damped = gauge("signal.verdict.damped", "{node}",
		"Whether flap mitigation makes the reported health differ from the observed, 1 or 0.")
	g.status = gauge("signal.verdict.status", "{status}",
		"Drain state of the node: 1 for the one in force, 0 for the others.")
	g.reason = gauge("signal.reason", "{reason}", "1 for each reason in force, 0 for every other.")
	g.tolerated = gauge("signal.tolerated", "{service}",
		"1 for a service that refuses connections and whose last observation counts (UNREACHABLE_TOLERANCE), else 0.")
	g.weight = gauge("signal.verdict.weight", "%", "Share of the configured weight that HAProxy is to use.")
	g.participants = gauge("signal.jicofo.participants", "{participant}",
		"Participants, as jicofo counts them; absent while unknown.")
	g.conferences = gauge("signal.jicofo.conferences", "{conference}",
		"Conferences, as jicofo counts them; absent while unknown.")
	g.censusParticipants = gauge("signal.census.participants", "{participant}",
		"Participants, as the census counts them; absent while unknown.")
	g.leakedRooms = count("signal.census.leaked_rooms",
		"Rooms of the census that prosody marks as leaked: their occupants have no connection any more; absent while "+
			"unknown.")
	g.oddRooms = count("signal.census.odd_rooms",
		"Rooms of the census without a usable number of participants, which count as 0 in the sums; absent while "+
			"unknown.")
	g.lastSeen = gauge("signal.observation.timestamp", "s",
		"When the latest observation was made, in seconds since the epoch.")

	runs, err := meter.Int64ObservableCounter("signal_unhealthy_total",
		metric.WithUnit("{failure}"), metric.WithDescription("Number of times that the node turned unhealthy, as observed."))
	g.unhealthyRuns = runs
	g.add(runs, err)
	return g
}

func (g *gauges) add(i metric.Observable, err error) {
	g.all = append(g.all, i)
	if g.err == nil {
		g.err = err
	}
}

// observe records the values of one snapshot.
func (g *gauges) observe(o metric.Observer, s *health.Snapshot) {
	o.ObserveInt64(g.unhealthyRuns, int64(s.UnhealthyRuns))
	if !s.At.IsZero() {
		o.ObserveFloat64(g.lastSeen, float64(s.At.UnixMilli())/1e3)
	}
	if participants, conferences, ok := s.Jicofo.Load(); ok {
		o.ObserveFloat64(g.participants, participants)
		o.ObserveFloat64(g.conferences, conferences)
	}
	if c := s.Census; c != nil {
		o.ObserveFloat64(g.census, one(c.OK()))
		if c.OK() {
			o.ObserveFloat64(g.censusParticipants, c.Participants)
			o.ObserveFloat64(g.sumSquared, c.SumSquared)
			o.ObserveInt64(g.leakedRooms, int64(c.Leaked))
			o.ObserveInt64(g.oddRooms, int64(c.Odd))
		}
	}
	v := s.Verdict
	if !v.Known {
		return
	}
	o.ObserveFloat64(g.health, one(v.Healthy))
	o.ObserveFloat64(g.rawHealth, one(v.RawHealthy))
	o.ObserveFloat64(g.damped, one(v.Damped))
	o.ObserveFloat64(g.weight, float64(v.Weight))
	for _, status := range health.Statuses {
		o.ObserveFloat64(g.status, one(v.Status == status), metric.WithAttributes(attribute.String("status", string(status))))
	}
	for _, service := range health.Services {
		o.ObserveFloat64(g.tolerated, one(s.Tolerates(service)), metric.WithAttributes(attribute.String("service", service)))
	}
	for _, code := range health.Codes {
		o.ObserveFloat64(g.reason, one(v.Has(code)), metric.WithAttributes(attribute.String("code", string(code))))
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
