package fleet

import (
	"context"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/signal-sidecar/signal-sidecar/guard"
)

// Options says which fleet is read, and how. Only Client is required.
type Options struct {
	Client      *api.Client
	Address     string // of Consul, for errors
	Datacenter  string // "" for the agent's own, or AllDatacenters
	Environment string // "" for all
	StaleAfter  time.Duration
	HAProxys    []*HAProxy
	// ServerPattern matches the names of HAProxy's servers; its first group is the shard. nil if they are the same.
	ServerPattern *regexp.Regexp
	// CheckTime is how long a disagreement must last before it is marked.
	CheckTime time.Duration
	// Linger is how long a Watcher goes on without a subscriber, so that one that comes back at once finds a view.
	Linger time.Duration
	// Guard makes a panic of a Watcher's read a problem of the view; nil catches none.
	Guard *guard.Guard
}

// Reader reads the fleet repeatedly. It is not safe for concurrent use.
type Reader struct {
	o             Options
	datacenters   map[string]*datacenter
	disagreements disagreements
}

// NewReader returns a Reader.
func NewReader(o Options) *Reader {
	return &Reader{o: o, datacenters: map[string]*datacenter{}, disagreements: disagreements{}}
}

// Read reads the fleet once. pending reports whether there is a disagreement that has not lasted for the check time
// yet. The rows of a datacenter that could not be read completely are missing.
func (r *Reader) Read(ctx context.Context) (v *View, pending bool) {
	names, err := r.o.datacenters(ctx)
	if err != nil {
		return &View{At: time.Now(), Problems: []string{err.Error()}}, false
	}
	all, errs := make([]*contents, len(names)), make([]error, len(names))
	var beliefs map[string][]Belief
	var problems []error
	var readers sync.WaitGroup
	for i, name := range names {
		d := r.datacenters[name]
		if d == nil {
			d = r.o.newDatacenter(name)
			r.datacenters[name] = d
		}
		readers.Go(func() { all[i], errs[i] = d.read(ctx, false) })
	}
	readers.Go(func() { beliefs, problems = r.o.beliefs(ctx) })
	readers.Wait()
	v, pending = r.o.view(time.Now(), all, beliefs, r.disagreements)
	for _, err := range slices.Concat(errs, problems) {
		if err != nil {
			v.Problems = append(v.Problems, err.Error())
		}
	}
	return v, pending
}

// beliefs reads the statistics of all HAProxys at once. It returns the servers by shard, and the errors.
func (o Options) beliefs(ctx context.Context) (map[string][]Belief, []error) {
	all, errs := make([][]Belief, len(o.HAProxys)), make([]error, len(o.HAProxys))
	var readers sync.WaitGroup
	for i, h := range o.HAProxys {
		readers.Go(func() { all[i], errs[i] = h.servers(ctx) })
	}
	readers.Wait()
	return byShard(slices.Concat(all...), o.ServerPattern), errs
}

// view joins what was read. Contents may be nil.
func (o Options) view(
	now time.Time, all []*contents, beliefs map[string][]Belief, d disagreements,
) (v *View, pending bool) {
	v = &View{At: now}
	for _, c := range all {
		if c != nil {
			v.Rows = append(v.Rows, c.join(now, o.StaleAfter)...)
		}
	}
	addBeliefs(v.Rows, beliefs)
	pending = d.mark(v.Rows, now, o.CheckTime)
	sortRows(v.Rows)
	return v, pending
}

// The bounds of the time between two reads of Settled.
const (
	minSample = 50 * time.Millisecond
	maxSample = 500 * time.Millisecond
)

// Settled reads the fleet until each disagreement has ended or has lasted for the check time, for three check times at
// most. It returns the last view.
func (r *Reader) Settled(ctx context.Context) *View {
	v, pending := r.Read(ctx)
	limit := time.NewTimer(3 * r.o.CheckTime)
	defer limit.Stop()
	again := time.NewTicker(min(max(r.o.CheckTime/8, minSample), maxSample))
	defer again.Stop()
	for pending {
		select {
		case <-again.C:
		case <-limit.C:
			return v
		case <-ctx.Done():
			return v
		}
		v, pending = r.Read(ctx)
	}
	return v
}
