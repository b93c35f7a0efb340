package signalnode

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxValue is the longest value of a key, and the longest body of a transaction, in bytes.
const maxValue = 512 << 10

var errMissingKey = failure{http.StatusBadRequest, "Missing key name"}

func (c *Consul) serveKey(w http.ResponseWriter, r *http.Request, key string) error {
	if err := allow(w, r, http.MethodGet, http.MethodPut, http.MethodDelete); err != nil {
		return err
	}
	q, err := c.parseQuery(r)
	if err != nil {
		return err
	}
	recurse := q.parameters.Has("recurse")
	switch {
	case r.Method == http.MethodGet && q.parameters.Has("keys"):
		q.keys(w, r, key)
		return nil
	case r.Method == http.MethodGet && recurse:
		q.tree(w, r, key)
		return nil
	case key == "" && (!recurse || r.Method != http.MethodDelete):
		return errMissingKey
	case r.Method == http.MethodGet:
		q.value(w, r, key)
		return nil
	case r.Method == http.MethodPut:
		return q.put(w, r, key)
	default:
		return q.remove(w, key)
	}
}

func (q query) value(w http.ResponseWriter, r *http.Request, key string) {
	var e entry
	var found bool
	index := q.block(r.Context(), func(d *datacenter) (uint64, bool) {
		if e, found = d.entries[key]; found {
			return e.ModifyIndex, true
		}
		return d.keysIndex, false
	})
	writeMeta(w, index)
	switch {
	case !found:
		w.WriteHeader(http.StatusNotFound)
	case q.parameters.Has("raw"):
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", "sandbox")
		answer{http.StatusOK, "text/plain", e.Value}.writeTo(w)
	default:
		jsonAnswer([]entry{e}).writeTo(w)
	}
}

func (q query) tree(w http.ResponseWriter, r *http.Request, prefix string) {
	found, index := q.list(r, prefix)
	writeMeta(w, index)
	if len(found) == 0 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	jsonAnswer(found).writeTo(w)
}

// keys lists the keys with a prefix, each up to the first separator after the prefix.
func (q query) keys(w http.ResponseWriter, r *http.Request, prefix string) {
	found, index := q.list(r, prefix)
	writeMeta(w, index)
	if len(found) == 0 && prefix != "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	separator := q.parameters.Get("separator")
	keys := []string{}
	for _, e := range found {
		key := e.Key
		if head, _, cut := strings.Cut(key[len(prefix):], separator); separator != "" && cut {
			key = prefix + head + separator
		}
		keys = append(keys, key)
	}
	jsonAnswer(slices.Compact(keys)).writeTo(w)
}

func (q query) list(r *http.Request, prefix string) (found []entry, index uint64) {
	index = q.block(r.Context(), func(d *datacenter) (uint64, bool) {
		found = d.list(prefix)
		return d.listIndex(prefix, found), len(found) > 0
	})
	return found, index
}

func (q query) put(w http.ResponseWriter, r *http.Request, key string) error {
	flags, _, err := number64(q.parameters, "flags")
	if err != nil {
		return err
	}
	index, compare, err := number64(q.parameters, "cas")
	if err != nil {
		return err
	}
	value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxValue))
	if r.ContentLength > maxValue || err != nil {
		text := fmt.Sprintf("Request body(%d bytes) too large, max size: %d bytes. See %s.", r.ContentLength, maxValue,
			"https://www.consul.io/docs/agent/config/config-files#kv_max_value_size")
		return failure{http.StatusRequestEntityTooLarge, text}
	}
	done := true
	q.datacenter.change(func(c *change) {
		e := entry{Key: key, Flags: flags, Value: value}
		if !compare {
			c.set(e)
		} else if _, done = c.compareAndSet(e, index); !done {
			c.abort()
		}
	})
	jsonAnswer(done).writeTo(w)
	return nil
}

func (q query) remove(w http.ResponseWriter, key string) error {
	index, compare, err := number64(q.parameters, "cas")
	if err != nil {
		return err
	}
	recurse := q.parameters.Has("recurse")
	if compare && recurse {
		return failure{http.StatusBadRequest, "Conflicting flags: " + q.parameters.Encode()}
	}
	done := true
	q.datacenter.change(func(c *change) {
		switch {
		case recurse:
			c.deleteTree(key)
		case compare:
			done = c.compareAndDelete(key, index)
		default:
			c.delete(key)
		}
	})
	jsonAnswer(done).writeTo(w)
	return nil
}

// number64 returns a parameter; given is false if it is missing.
func number64(parameters url.Values, name string) (n uint64, given bool, err error) {
	if !parameters.Has(name) {
		return 0, false, nil
	}
	n, err = strconv.ParseUint(parameters.Get(name), 10, 64)
	return n, true, err
}
