package signalnode

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Consul's bounds for a blocking query.
const (
	defaultWait = 5 * time.Minute
	maxWait     = 10 * time.Minute
)

// query is what every read request may have.
type query struct {
	parameters url.Values
	datacenter *datacenter
	index      uint64 // wait for a later one; 0 to reply at once
	wait       time.Duration
}

func (c *Consul) parseQuery(r *http.Request) (query, error) {
	q := query{parameters: r.URL.Query(), wait: defaultWait}
	if q.parameters.Has("stale") && q.parameters.Has("consistent") {
		return q, failure{http.StatusBadRequest, "Cannot specify ?stale with ?consistent, conflicting semantics."}
	}
	if text := q.parameters.Get("wait"); text != "" {
		wait, err := time.ParseDuration(text)
		if err != nil {
			return q, failure{http.StatusBadRequest, "Invalid wait time"}
		}
		if wait > 0 {
			q.wait = min(wait, maxWait)
		}
	}
	if text := q.parameters.Get("index"); text != "" {
		index, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return q, failure{http.StatusBadRequest, "Invalid index"}
		}
		q.index = index
	}
	q.datacenter = c.find(q.parameters.Get("dc"))
	if q.datacenter == nil {
		return q, failure{http.StatusInternalServerError, "No path to datacenter"}
	}
	return q, nil
}

// block calls read until its index is later than the query's, or the time is over, and returns the last index. read
// runs with d.mu held; found is false if there is nothing to return. As in Consul, a query for something that is
// missing and stays so is not ended by other keys' writes.
func (q query) block(ctx context.Context, read func(d *datacenter) (index uint64, found bool)) uint64 {
	d, after, missed := q.datacenter, q.index, false
	end := time.NewTimer(q.wait)
	defer end.Stop()
	for {
		d.mu.Lock()
		index, found := read(d)
		changed := d.changed
		d.mu.Unlock()
		index = max(index, 1)
		if !found {
			if missed {
				after = index
			}
			missed = true
		}
		if q.index == 0 || index > after {
			return index
		}
		select {
		case <-changed:
		case <-end.C:
			return index
		case <-ctx.Done():
			return index
		}
	}
}

// writeMeta writes the headers of a read request's reply.
func writeMeta(w http.ResponseWriter, index uint64) {
	w.Header().Set("X-Consul-Index", strconv.FormatUint(index, 10))
	writeLeader(w)
}

func writeLeader(w http.ResponseWriter) {
	w.Header().Set("X-Consul-KnownLeader", "true")
	w.Header().Set("X-Consul-LastContact", "0")
}
