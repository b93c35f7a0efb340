package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// maxOperations is how many operations Consul accepts in one transaction.
const maxOperations = 128

// Change is a change of the wanted state of shards.
type Change struct {
	Word   health.Word // ready, drain or maint
	Shards []string
	By     string // who, for the audit
	Reason string // for the audit, "" for none
	// Force permits to take the last ready shard of an environment out, and to create the key of an unknown shard.
	Force bool
}

// Changed is the effect of a change on one shard.
type Changed struct {
	Environment string
	Shard       string
	Before      string // the value before, "" without a key
	// Unchanged reports whether the state was the wanted one already. Nothing was written then. Audit is who set it,
	// nil if that is not known.
	Unchanged bool
	Audit     *Audit
	// Reports is the state that the shard reports if Unchanged is set and it is another one, else "". Then its report is
	// old, or its status file was edited.
	Reports string

	index uint64 // the ModifyIndex of the state
}

// Plan is a change that was judged, and can be committed once.
type Plan struct {
	change     Change
	datacenter *datacenter
	changed    []Changed
	operations api.TxnOps
	concerned  []name // of each operation
	audits     map[name]*Audit
}

// Plan reads what the change depends on, and judges it. It changes nothing. An error names why the change is refused.
func (o Options) Plan(ctx context.Context, change Change) (*Plan, error) {
	if o.Datacenter == AllDatacenters {
		return nil, errors.New("a change needs one datacenter, not all")
	}
	d := o.newDatacenter(o.Datacenter)
	c := &contents{}
	for _, p := range []part{parts[partStates], parts[partAudits], parts[partServices]} {
		set, _, _, err := p.read(d, ctx, query{consistent: true})
		if err != nil {
			return nil, d.failed(p.what, err)
		}
		set(c)
	}
	p := &Plan{change: change, datacenter: d, audits: c.audits}
	names, err := p.resolve(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		p.add(n, c)
	}
	p.addReports(ctx)
	if change.Word != health.WordReady && !change.Force {
		if err := p.guard(names, c); err != nil {
			return nil, err
		}
	}
	if n := len(p.operations); n > maxOperations {
		return nil, fmt.Errorf("refused: %d shards in one change need %d operations, and Consul accepts %d in a transaction: "+
			"change at most %d at once", len(names), n, maxOperations, maxOperations/2-1)
	}
	return p, nil
}

// resolve returns the shards of the change, each once, in the order of their names.
func (p *Plan) resolve(ctx context.Context, c *contents) ([]name, error) {
	known := map[string]map[string]bool{} // environments by shard
	add := func(n name) {
		if known[n.shard] == nil {
			known[n.shard] = map[string]bool{}
		}
		known[n.shard][n.environment] = true
	}
	for n := range c.states {
		add(n)
	}
	for n := range c.services {
		add(n)
	}
	if slices.ContainsFunc(p.change.Shards, func(shard string) bool { return known[shard] == nil }) {
		reports, err := p.datacenter.names(ctx, reportsPrefix)
		if err != nil {
			return nil, err
		}
		for _, n := range reports {
			add(n)
		}
	}
	var names []name
	var problems []error
	for _, shard := range p.change.Shards {
		n, err := p.resolveOne(shard, known[shard])
		names, problems = append(names, n), append(problems, err)
	}
	slices.SortFunc(names, compareNames)
	return slices.Compact(names), errors.Join(problems...)
}

func compareNames(a, b name) int {
	return cmp.Or(strings.Compare(a.environment, b.environment), strings.Compare(a.shard, b.shard))
}

// resolveOne returns the shard with this name in its environment.
func (p *Plan) resolveOne(shard string, environments map[string]bool) (name, error) {
	wanted := p.datacenter.environment
	switch {
	case shard == "" || strings.HasSuffix(shard, "/"):
		return name{}, fmt.Errorf("%s is not the name of a shard", Printable(shard))
	case len(environments) == 1:
		for environment := range environments {
			return name{environment, shard}, nil
		}
	case len(environments) > 1:
		var all []string
		for environment := range environments {
			all = append(all, Printable(environment))
		}
		slices.Sort(all)
		return name{}, fmt.Errorf("shard %s is in the environments %s: name one with --environment",
			Printable(shard), strings.Join(all, ", "))
	case !p.change.Force:
		return name{}, fmt.Errorf("shard %s is unknown: Consul at %s has neither a wanted state, a report nor a service of it; "+
			"--force creates its key", Printable(shard), p.datacenter.address)
	case strings.Contains(shard, "/"): // such as environment/shard, as tables of several environments have it
		return name{}, fmt.Errorf("shard %s is unknown, and no name of a new shard: that has no /", Printable(shard))
	case wanted == "":
		return name{}, fmt.Errorf("shard %s is unknown: --force needs --environment to create its key", Printable(shard))
	}
	return name{wanted, shard}, nil
}

// add adds the operations for one shard.
func (p *Plan) add(n name, c *contents) {
	before, exists := c.states[n]
	changed := Changed{Environment: n.environment, Shard: n.shard, Before: before.value, index: before.index}
	if exists && before.word() == p.change.Word {
		changed.Unchanged, changed.Audit = true, c.audits[n]
		p.changed = append(p.changed, changed)
		return
	}
	audit, _ := json.Marshal(Audit{ // it has only texts
		State: string(p.change.Word), By: p.change.By, At: health.Time(time.Now()), Reason: p.change.Reason,
	})
	// Index 0 means that the key must not exist.
	p.addOperation(n, api.KVTxnOp{
		Verb: api.KVCAS, Key: n.key(statesPrefix), Value: []byte(p.change.Word), Index: before.index,
	})
	p.addOperation(n, api.KVTxnOp{Verb: api.KVSet, Key: n.key(auditsPrefix), Value: audit})
	p.changed = append(p.changed, changed)
}

// addReports sets what the shards report whose wanted state does not change. The change does not depend on it, so a
// report that cannot be read is not an error.
func (p *Plan) addReports(ctx context.Context) {
	for i := range p.changed {
		c := &p.changed[i]
		if !c.Unchanged {
			continue
		}
		r, err := p.datacenter.report(ctx, name{c.Environment, c.Shard})
		if err == nil && r != nil && r.err == nil && !r.reported(p.change.Word) {
			c.Reports = r.State()
		}
	}
}

func (p *Plan) addOperation(n name, o api.KVTxnOp) {
	p.operations = append(p.operations, &api.TxnOp{KV: &o})
	p.concerned = append(p.concerned, n)
}

// guard refuses to leave an environment without a ready shard. In each environment that keeps one, the transaction
// checks that the shard is still as it was, so that two changes at once cannot take the last two out.
func (p *Plan) guard(names []name, c *contents) error {
	taken := map[string][]string{}   // ready shards that are taken out, by environment
	remaining := map[string][]name{} // ready shards that stay
	for n, s := range c.states {
		switch {
		case s.word() != health.WordReady:
		case slices.Contains(names, n):
			taken[n.environment] = append(taken[n.environment], Printable(n.shard))
		default:
			remaining[n.environment] = append(remaining[n.environment], n)
		}
	}
	var problems []error
	for environment, shards := range taken {
		others := remaining[environment]
		if len(others) == 0 {
			slices.Sort(shards)
			problems = append(problems, fmt.Errorf("refused: environment %s would have no ready shard without %s; "+
				"--force does it", Printable(environment), strings.Join(shards, ", ")))
			continue
		}
		witness := slices.MinFunc(others, compareNames)
		p.addOperation(witness, api.KVTxnOp{
			Verb: api.KVCheckIndex, Key: witness.key(statesPrefix), Index: c.states[witness].index,
		})
	}
	return errors.Join(problems...)
}

// Commit makes the change as one transaction. If another change came in between, nothing is changed, and the error
// names who made the other one, and when.
func (p *Plan) Commit(ctx context.Context) ([]Changed, error) {
	if len(p.operations) == 0 {
		return p.changed, nil
	}
	done, response, _, err := p.datacenter.client.Txn().Txn(p.operations, p.datacenter.options(ctx, query{}))
	if err != nil {
		return nil, failure("write "+p.keys(), "Consul", p.datacenter.address, err)
	}
	if slices.Contains(response.Errors, nil) {
		return nil, failure("write "+p.keys(), "Consul", p.datacenter.address, errNull)
	}
	if !done {
		return nil, p.conflict(ctx, response.Errors)
	}
	for _, result := range response.Results {
		if result == nil || result.KV == nil {
			continue
		}
		for i := range p.changed {
			c := &p.changed[i]
			if result.KV.Key == (name{c.Environment, c.Shard}).key(statesPrefix) {
				c.index = result.KV.ModifyIndex
			}
		}
	}
	return p.changed, nil
}

// keys names what the plan writes.
func (p *Plan) keys() string {
	if key := p.operations[0].KV.Key; len(p.changed) == 1 {
		return Printable(key)
	}
	return fmt.Sprintf("%s of %d shards", statesPrefix, len(p.changed))
}

// conflict returns the error for operations that failed: who changed what they depended on.
func (p *Plan) conflict(ctx context.Context, failed api.TxnErrors) error {
	problems := []error{errors.New("conflict: nothing was changed")}
	seen := map[name]bool{}
	for _, f := range failed {
		// A failed comparison is "failed to set key …, index is stale" or "failed index check …". Anything else, such as
		// "Permission denied: …", is not a conflict.
		if f.OpIndex < 0 || f.OpIndex >= len(p.concerned) || !strings.HasPrefix(f.What, "failed ") {
			return fmt.Errorf("nothing was changed: write %s to Consul at %s: the transaction was refused: %s",
				p.keys(), p.datacenter.address, health.OneLine(f.What))
		}
		if n := p.concerned[f.OpIndex]; !seen[n] {
			seen[n] = true
			problems = append(problems, p.explain(ctx, n))
		}
	}
	return errors.Join(problems...)
}

// explain returns who changed the state of a shard since the plan was made.
func (p *Plan) explain(ctx context.Context, n name) error {
	key := n.key(statesPrefix)
	options := p.datacenter.options(ctx, query{consistent: true})
	pair, _, err := p.datacenter.client.KV().Get(n.key(auditsPrefix), options)
	if err != nil {
		return fmt.Errorf("%s was changed meanwhile; by whom is not known: %w", Printable(key),
			p.datacenter.failed(Printable(n.key(auditsPrefix)), err))
	}
	if pair != nil {
		if a, before := parseAudit(pair.Value), p.audits[n]; a != nil && !a.same(before) {
			return fmt.Errorf("%s was changed meanwhile: %s", Printable(key), a)
		}
	}
	return fmt.Errorf("%s was changed meanwhile, by a client that keeps no %s", Printable(key), auditsPrefix)
}
