package fleet

import (
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"

	"github.com/signal-sidecar/signal-sidecar/errtext"
)

// defaultHTTPPort is the sidecar's port of a service that does not name it, as on virtual machines.
const defaultHTTPPort = "6000"

// datacenter reads the parts of one datacenter's contents. It is not safe for concurrent use of the same part.
type datacenter struct {
	client      *api.Client
	address     string // of Consul, for errors
	name        string // "" for the agent's own
	environment string // "" for all

	reports map[string]*report // the last ones that were parsed, by key
}

// query has the options of one read.
type query struct {
	index      uint64 // of a blocking query, 0 for none
	consistent bool
}

// part is one of the lists that make up the contents of a datacenter.
type part struct {
	what string
	// read reads the list, puts it into the contents, and returns its index and size in bytes.
	read func(d *datacenter, ctx context.Context, q query) (set func(*contents), index uint64, size int, err error)
}

// The indexes of parts.
const (
	partStates = iota
	partReports
	partAudits
	partServices
)

var parts = [...]part{
	partStates:   {statesPrefix, (*datacenter).readStates},
	partReports:  {reportsPrefix, (*datacenter).readReports},
	partAudits:   {auditsPrefix, (*datacenter).readAudits},
	partServices: {"service " + serviceName, (*datacenter).readServices},
}

// read reads all parts at once.
func (d *datacenter) read(ctx context.Context, consistent bool) (*contents, error) {
	c := &contents{datacenter: d.name}
	sets := make([]func(*contents), len(parts))
	group, ctx := errgroup.WithContext(ctx)
	for i, p := range parts {
		group.Go(func() (err error) {
			sets[i], _, _, err = p.read(d, ctx, query{consistent: consistent})
			return d.failed(p.what, err)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, set := range sets {
		set(c)
	}
	return c, nil
}

// failure returns the error of a request: what was tried, and why it failed.
func failure(what, service, where string, err error) error {
	return &errtext.Error{Text: what + ": " + errtext.Request(service, where, err), Err: err}
}

// failed returns an error that names what was requested from where, nil for nil.
func (d *datacenter) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	if d.name != "" {
		what += " of datacenter " + Printable(d.name)
	}
	return failure("read "+what, "Consul", d.address, err)
}

func (d *datacenter) options(ctx context.Context, q query) *api.QueryOptions {
	return (&api.QueryOptions{
		Datacenter: d.name, WaitIndex: q.index, WaitTime: maxWait, RequireConsistent: q.consistent,
	}).WithContext(ctx)
}

var (
	errNoConsul = errors.New("answered 404 without an index: that is not Consul's HTTP API")
	errNull     = errors.New("answered a list that contains null: that is not Consul's HTTP API")
	errFiltered = errors.New("the ACL token may not read any of it; a token for one environment needs --environment")
)

// checkEmpty returns why a list has no entries, if that is not because there are none. A token may be permitted to read
// only a part of a list.
func checkEmpty(entries int, meta *api.QueryMeta) error {
	switch {
	case entries > 0:
		return nil
	case meta.ResultsFilteredByACLs:
		return errFiltered
	case meta.LastIndex == 0:
		return errNoConsul
	default:
		return nil
	}
}

// list returns the pairs below a prefix by the shard that their keys name.
func (d *datacenter) list(ctx context.Context, q query, prefix string) (
	pairs map[name]*api.KVPair, index uint64, size int, err error,
) {
	path := prefix
	if d.environment != "" {
		path += d.environment + "/"
	}
	list, meta, err := d.client.KV().List(path, d.options(ctx, q))
	if err != nil {
		return nil, 0, 0, err
	}
	if err := checkEmpty(len(list), meta); err != nil {
		return nil, 0, 0, err
	}
	if slices.Contains(list, nil) {
		return nil, 0, 0, errNull
	}
	pairs = make(map[name]*api.KVPair, len(list))
	for _, pair := range list {
		if n, ok := parseKey(prefix, pair.Key); ok {
			pairs[n] = pair
			size += len(pair.Value)
		}
	}
	return pairs, meta.LastIndex, size, nil
}

func (d *datacenter) readStates(ctx context.Context, q query) (func(*contents), uint64, int, error) {
	pairs, index, size, err := d.list(ctx, q, statesPrefix)
	states := make(map[name]state, len(pairs))
	for n, pair := range pairs {
		states[n] = state{string(pair.Value), pair.ModifyIndex}
	}
	return func(c *contents) { c.states = states }, index, size, err
}

func (d *datacenter) readAudits(ctx context.Context, q query) (func(*contents), uint64, int, error) {
	pairs, index, size, err := d.list(ctx, q, auditsPrefix)
	audits := make(map[name]*Audit, len(pairs))
	for n, pair := range pairs {
		if a := parseAudit(pair.Value); a != nil {
			audits[n] = a
		}
	}
	return func(c *contents) { c.audits = audits }, index, size, err
}

// readReports parses only the reports that have changed.
func (d *datacenter) readReports(ctx context.Context, q query) (func(*contents), uint64, int, error) {
	pairs, index, size, err := d.list(ctx, q, reportsPrefix)
	if err != nil {
		return nil, 0, 0, err
	}
	parsed := make(map[string]*report, len(pairs))
	reports := make(map[name]*report, len(pairs))
	for n, pair := range pairs {
		r := d.reports[pair.Key]
		if r == nil || r.index != pair.ModifyIndex {
			r = parseReport(pair.Value, pair.ModifyIndex)
		}
		parsed[pair.Key], reports[n] = r, r
	}
	d.reports = parsed
	return func(c *contents) { c.reports = reports }, index, size, nil
}

// readServices reads the service of each shard. Of several instances of one shard, the one with the first ID counts.
// Instances that name no shard are ignored.
func (d *datacenter) readServices(ctx context.Context, q query) (func(*contents), uint64, int, error) {
	instances, meta, err := d.client.Catalog().Service(serviceName, "", d.options(ctx, q))
	if err != nil {
		return nil, 0, 0, err
	}
	if len(instances) == 0 && meta.ResultsFilteredByACLs {
		return nil, 0, 0, errFiltered
	}
	if slices.Contains(instances, nil) {
		return nil, 0, 0, errNull
	}
	slices.SortFunc(instances, func(a, b *api.CatalogService) int { return strings.Compare(b.ServiceID, a.ServiceID) })
	services, used := map[name]service{}, false
	for _, i := range instances {
		n := name{i.ServiceMeta["environment"], i.ServiceMeta["shard"]}
		if n.shard == "" {
			continue
		}
		used = true
		if d.environment == "" || n.environment == d.environment {
			services[n] = service{release: i.ServiceMeta["release_number"], address: httpAddress(i)}
		}
	}
	return func(c *contents) { c.services, c.serviceUsed = services, used }, meta.LastIndex, 0, nil
}

// httpAddress returns host:port of the sidecar's REST server.
func httpAddress(i *api.CatalogService) string {
	host, port := i.ServiceMeta["signal_sidecar_http_ip"], i.ServiceMeta["signal_sidecar_http_port"]
	for _, other := range []string{i.ServiceAddress, i.Address} {
		if host == "" {
			host = other
		}
	}
	if host == "" {
		return ""
	}
	if port == "" {
		port = defaultHTTPPort
	}
	return net.JoinHostPort(host, port)
}

// AllDatacenters is the name that stands for all datacenters.
const AllDatacenters = "all"

// datacenters returns the names of the datacenters that are to be read.
func (o Options) datacenters(ctx context.Context) ([]string, error) {
	if o.Datacenter != AllDatacenters {
		return []string{o.Datacenter}, nil
	}
	var all []string
	// The library's Datacenters takes no context.
	if _, err := o.Client.Raw().Query("/v1/catalog/datacenters", &all, (&api.QueryOptions{}).WithContext(ctx)); err != nil {
		return nil, failure("read the datacenters", "Consul", o.Address, err)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// newDatacenter returns a reader of one datacenter.
func (o Options) newDatacenter(name string) *datacenter {
	return &datacenter{client: o.Client, address: o.Address, name: name, environment: o.Environment}
}

// ShownAddress returns the URL of Consul as errors may show it.
func ShownAddress(address string) string {
	if u, err := url.Parse(address); err == nil {
		u.User, u.RawQuery = nil, ""
		return u.String()
	}
	return "its address"
}

// names returns the shards that have a key with a prefix.
func (d *datacenter) names(ctx context.Context, prefix string) ([]name, error) {
	path := prefix
	if d.environment != "" {
		path += d.environment + "/"
	}
	keys, _, err := d.client.KV().Keys(path, "", d.options(ctx, query{consistent: true}))
	if err != nil {
		return nil, d.failed("the keys of "+prefix, err)
	}
	var names []name
	for _, key := range keys {
		if n, ok := parseKey(prefix, key); ok {
			names = append(names, n)
		}
	}
	return names, nil
}

// Shards returns the names of the shards that have a wanted state or a report, sorted.
func (o Options) Shards(ctx context.Context) ([]string, error) {
	d := o.newDatacenter(o.Datacenter)
	var all []string
	for _, prefix := range []string{statesPrefix, reportsPrefix} {
		names, err := d.names(ctx, prefix)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			all = append(all, n.shard)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
