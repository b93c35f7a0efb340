package signalnode

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Consul is a stand-in for one Consul agent and its servers: the part of Consul's HTTP API that signal-sidecar uses,
// kept in memory. It serves
//
//	/v1/kv/…                        GET (recurse, keys, separator, raw), PUT (cas, flags), DELETE (cas, recurse)
//	/v1/txn                         key operations only, without locks and sessions
//	/v1/catalog/datacenters, /v1/catalog/services, /v1/catalog/service/NAME
//	/v1/health/service/NAME         with passing
//	/v1/status/leader
//
// with ?dc=, blocking queries (index, wait) and the consistency modes. It has no ACLs: it ignores tokens. A test of
// e2e/ compares it with a real Consul. It is safe for concurrent use.
//
// A blocking query ends when its client goes away. It does not end at http.Server.Shutdown.
type Consul struct {
	names       []string // the first is the agent's own
	datacenters map[string]*datacenter
}

// NewConsul returns an empty Consul. The first datacenter is the one that answers requests without ?dc=; without names
// there is one, dc1.
func NewConsul(datacenters ...string) *Consul {
	if len(datacenters) == 0 {
		datacenters = []string{"dc1"}
	}
	c := &Consul{names: slices.Clone(datacenters), datacenters: make(map[string]*datacenter)}
	for _, name := range datacenters {
		c.datacenters[name] = newDatacenter()
	}
	return c
}

// Datacenter returns a datacenter's contents; "" for the agent's own. It panics if NewConsul was not given the name.
func (c *Consul) Datacenter(name string) Datacenter {
	d := c.find(name)
	if d == nil {
		panic(fmt.Sprintf("no datacenter %q", name))
	}
	return Datacenter{d}
}

// find returns nil for an unknown datacenter.
func (c *Consul) find(name string) *datacenter {
	if name == "" {
		name = c.names[0]
	}
	return c.datacenters[name]
}

// Datacenter is what one datacenter of a Consul contains. Its methods do what other clients would do by HTTP.
type Datacenter struct{ d *datacenter }

// Get returns a key's value. ok is false if there is no such key.
func (d Datacenter) Get(key string) (value string, ok bool) {
	d.d.mu.Lock()
	defer d.d.mu.Unlock()
	e, ok := d.d.entries[key]
	return string(e.Value), ok
}

// Put sets a key, whatever its value was.
func (d Datacenter) Put(key, value string) {
	d.d.change(func(c *change) { c.set(entry{Key: key, Value: []byte(value)}) })
}

// Delete removes a key. It does nothing if there is no such key.
func (d Datacenter) Delete(key string) { d.d.change(func(c *change) { c.delete(key) }) }

// Keys returns the keys with a prefix, sorted.
func (d Datacenter) Keys(prefix string) []string {
	d.d.mu.Lock()
	defer d.d.mu.Unlock()
	var keys []string
	for _, e := range d.d.list(prefix) {
		keys = append(keys, e.Key)
	}
	return keys
}

// ServeHTTP serves Consul's HTTP API.
func (c *Consul) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	key, isKey := strings.CutPrefix(path, "/v1/kv/")
	service, isCatalog := strings.CutPrefix(path, "/v1/catalog/service/")
	healthy, isHealth := strings.CutPrefix(path, "/v1/health/service/")
	var err error
	switch {
	case isKey:
		err = c.serveKey(w, r, key)
	case path == "/v1/txn":
		err = c.serveTransaction(w, r)
	case path == "/v1/status/leader":
		err = c.serveLeader(w, r)
	case path == "/v1/catalog/datacenters":
		err = c.serveDatacenters(w, r)
	case path == "/v1/catalog/services":
		err = c.serveServices(w, r)
	case isCatalog:
		err = c.serveCatalog(w, r, service)
	case isHealth:
		err = c.serveHealth(w, r, healthy)
	default:
		err = failure{http.StatusNotFound, fmt.Sprintf("Invalid URL path: %.200q is not served by this stand-in", path)}
	}
	if err != nil {
		reply := failure{http.StatusInternalServerError, err.Error()}
		errors.As(err, &reply)
		writeText(w, reply.code, reply.text)
	}
}

// failure is an error with its HTTP status code.
type failure struct {
	code int
	text string
}

func (f failure) Error() string { return f.text }

func allow(w http.ResponseWriter, r *http.Request, methods ...string) error {
	if slices.Contains(methods, r.Method) {
		return nil
	}
	methods = append([]string{http.MethodOptions}, methods...)
	w.Header().Set("Allow", strings.Join(methods, ","))
	return failure{http.StatusMethodNotAllowed, fmt.Sprintf("method %s not allowed", r.Method)}
}
