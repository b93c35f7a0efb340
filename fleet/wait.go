package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// The conditions that a change can be waited for.
const (
	WaitReported = "reported" // a report that was put after the change says so
	WaitHAProxy  = "haproxy"  // also every HAProxy shows it
	WaitEmpty    = "empty"    // also a report that was put after that says that there are no participants
)

// The bounds of the time between two reads of Wait, and what each shard adds to it.
const (
	minWait      = 250 * time.Millisecond
	maxWaitRead  = 2 * time.Second
	waitForShard = 25 * time.Millisecond
)

// waiting is a shard whose change is waited for.
type waiting struct {
	Changed
	// first is the first report after the change that says so.
	first *report
	// shown is the last report before every HAProxy showed the state, nil before that.
	shown *report
}

// Progress is how far a condition holds.
type Progress struct {
	Lines  []string // one for each shard
	Errors []string // what could not be read
}

// all returns the errors and the lines.
func (p Progress) all() string { return strings.Join(slices.Concat(p.Errors, p.Lines), "\n") }

// Wait waits until a condition holds for each shard of a committed plan. It calls report whenever the progress has
// changed. When ctx ends, the error contains the last progress.
func (p *Plan) Wait(ctx context.Context, condition string, o Options, report func(Progress)) error {
	shards := make([]waiting, len(p.changed))
	for i, c := range p.changed {
		shards[i].Changed = c
	}
	every := min(max(time.Duration(len(shards))*waitForShard, minWait), maxWaitRead)
	last := ""
	for {
		progress, done := p.poll(ctx, shards, condition, o)
		if text := progress.all(); ctx.Err() == nil && text != last {
			last = text
			report(progress)
		}
		if done {
			return nil
		}
		if !pause(ctx, every) {
			return errors.New(strings.TrimSuffix("waited in vain for "+condition+"\n"+last, "\n"))
		}
	}
}

// poll reads the reports and the HAProxys once.
func (p *Plan) poll(
	ctx context.Context, shards []waiting, condition string, o Options,
) (progress Progress, done bool) {
	var beliefs map[string][]Belief
	if condition != WaitReported {
		var errs []error
		beliefs, errs = o.beliefs(ctx)
		for _, err := range errs {
			if err != nil {
				progress.Errors = append(progress.Errors, err.Error())
			}
		}
	}
	done = true
	for i := range shards {
		w := &shards[i]
		r, err := p.datacenter.report(ctx, name{w.Environment, w.Shard})
		if err != nil {
			progress.Errors, done = append(progress.Errors, err.Error()), false
			continue
		}
		row := []Row{{Datacenter: p.datacenter.name, Shard: w.Shard}}
		addBeliefs(row, beliefs)
		text, holds := w.observe(p.change.Word, condition, r, row[0].HAProxy, o)
		progress.Lines = append(progress.Lines, Printable(w.Shard)+": "+text)
		done = done && holds
	}
	return progress, done
}

// report returns the report of a shard, nil without one.
func (d *datacenter) report(ctx context.Context, n name) (*report, error) {
	key := n.key(reportsPrefix)
	pair, _, err := d.client.KV().Get(key, d.options(ctx, query{}))
	if err != nil || pair == nil {
		return nil, d.failed(Printable(key), err)
	}
	return parseReport(pair.Value, pair.ModifyIndex), nil
}

// observe judges the condition for one shard, and describes how far it holds.
func (w *waiting) observe(
	word health.Word, condition string, r *report, beliefs []Belief, o Options,
) (text string, holds bool) {
	switch {
	case r == nil:
		return "no report", false
	case r.err != nil:
		return "the report is unusable: " + r.err.Error(), false
	case r.index <= w.index:
		return "no report since the change", false
	case !r.reported(word): // also if another change came in between: HAProxy may send users again
		w.first, w.shown = nil, nil
		return "reports " + r.State(), false
	case w.first == nil:
		w.first = r
	}
	text = "reports " + r.State()
	if condition == WaitReported {
		return text, true
	}
	shown, n := true, 0
	for _, h := range o.HAProxys {
		if shows(h.name, beliefs, word, r) {
			n++
		} else {
			shown = false
		}
	}
	if len(o.HAProxys) > 0 {
		text += fmt.Sprintf(", shown by %d of %d HAProxys", n, len(o.HAProxys))
	}
	if !shown {
		w.shown = nil
		return text, false
	}
	if w.shown == nil {
		w.shown = r
	}
	if condition == WaitHAProxy {
		return text, true
	}
	if r.Stats.JicofoParticipants == nil {
		return text + ", number of participants not known", false
	}
	participants := *r.Stats.JicofoParticipants
	return text + fmt.Sprintf(", %.0f participants", participants), participants == 0 && w.later(r, o)
}

// later reports whether the report was put after the HAProxys kept new users away. Without HAProxys that is assumed one
// check time after the first report.
func (w *waiting) later(r *report, o Options) bool {
	if len(o.HAProxys) > 0 {
		return r.index > w.shown.index
	}
	return r.index > w.first.index && r.at.Sub(w.first.at) >= o.CheckTime
}

// shows reports whether an HAProxy has servers of the shard, and each is in the state of the word. A shard that reports
// to be down may be DOWN: it gets no new users either.
func shows(haproxy string, beliefs []Belief, word health.Word, r *report) bool {
	want := map[health.Word]string{
		health.WordReady: stateUp, health.WordDrain: stateDrain, health.WordMaint: stateMaint,
	}[word]
	found := false
	for _, b := range beliefs {
		if b.HAProxy != haproxy {
			continue
		}
		found = true
		if b.State != want && (b.State != stateDown || r.Healthy) {
			return false
		}
	}
	return found
}
