package fleet

import (
	"maps"
	"slices"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// contents is what Consul has of one datacenter.
type contents struct {
	datacenter string
	states     map[name]state
	reports    map[name]*report
	audits     map[name]*Audit
	services   map[name]service
	// serviceUsed reports whether the datacenter has any service of a shard, also in an environment that was not
	// requested.
	serviceUsed bool
}

// state is a wanted state.
type state struct {
	value string
	index uint64 // the key's ModifyIndex
}

// word returns the meaning of the value.
func (s state) word() health.Word { return health.ParseWord(s.value) }

// service is the service of a shard.
type service struct{ release, address string }

// maxAhead is how far a report's time may be in the future before the row is marked.
const maxAhead = 5 * time.Second

// join returns a row for each shard that has a wanted state, a report or a service, in no order.
func (c *contents) join(now time.Time, staleAfter time.Duration) []Row {
	names := map[name]bool{}
	for _, keys := range []func(func(name) bool){maps.Keys(c.states), maps.Keys(c.reports), maps.Keys(c.services)} {
		for n := range keys {
			names[n] = true
		}
	}
	rows := make([]Row, 0, len(names))
	for n := range names {
		rows = append(rows, c.row(n, now, staleAfter))
	}
	return rows
}

func (c *contents) row(n name, now time.Time, staleAfter time.Duration) Row {
	service, hasService := c.services[n]
	r := Row{
		Datacenter: c.datacenter, Environment: n.environment, Shard: n.shard,
		State: health.StateNone, Reason: health.ReasonNone,
		Wanted: health.TrimStatus(c.states[n].value), Release: service.release, Address: service.address,
		Audit: c.audits[n], Marks: []Mark{}, HAProxy: []Belief{},
	}
	report := c.reports[n]
	switch {
	case report == nil:
		r.Marks = append(r.Marks, MarkSilent)
		return r
	case report.err != nil:
		r.Marks, r.Problem = append(r.Marks, MarkBroken), report.err.Error()
	default:
		r.addReport(report, now, staleAfter)
	}
	if c.serviceUsed && !hasService {
		r.Marks = append(r.Marks, MarkGone)
	}
	return r
}

// addReport adds what a report says, and the marks of its age.
func (r *Row) addReport(report *report, now time.Time, staleAfter time.Duration) {
	r.State, r.Damped, r.Weight, r.AgentLine = report.State(), report.HealthDamped, report.Weight, report.AgentMessage
	if r.State != health.StateDown && r.State != health.StateNone && !slices.Contains(healthyStates, r.State) {
		r.State = string(health.StatusUnknown) // such as a word of a later version
	}
	r.Participants = report.Stats.JicofoParticipants
	if reasons := report.Reasons(); len(reasons) > 0 {
		r.Reason, r.ReasonText = reasons[0].Code, reasons[0].Text
	}
	if report.at.IsZero() {
		r.Marks = append(r.Marks, MarkStale)
		return
	}
	age := now.Sub(report.at)
	r.ReportTime, r.ReportAge = report.Time, new(float64(age.Round(time.Millisecond).Milliseconds())/1e3)
	switch {
	case age > staleAfter:
		r.Marks = append(r.Marks, MarkStale)
	case age < -maxAhead:
		r.Marks = append(r.Marks, MarkClock)
	}
}

// sortRows sorts rows and their marks.
func sortRows(rows []Row) {
	order := []Mark{MarkDisagree, MarkBroken, MarkStale, MarkSilent, MarkGone, MarkClock}
	for i := range rows {
		slices.SortFunc(rows[i].Marks, func(a, b Mark) int { return slices.Index(order, a) - slices.Index(order, b) })
	}
	slices.SortFunc(rows, compareRows)
}
