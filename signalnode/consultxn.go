package signalnode

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// maxOperations is how many operations a transaction may have.
const maxOperations = 128

// operation is one operation of a transaction. Index is used by cas, delete-cas and check-index.
type operation struct {
	Verb  string
	Key   string
	Value []byte
	Flags uint64
	Index uint64
}

type (
	transactionResult struct{ KV entry }
	transactionError  struct {
		OpIndex int
		What    string
	}
	transactionReply struct {
		Results []transactionResult
		Errors  []transactionError
	}
)

func (c *Consul) serveTransaction(w http.ResponseWriter, r *http.Request) error {
	if err := allow(w, r, http.MethodPut); err != nil {
		return err
	}
	q, err := c.parseQuery(r)
	if err != nil {
		return err
	}
	operations, err := readTransaction(w, r)
	if err != nil {
		return err
	}
	reply := transactionReply{Errors: withoutKey(operations)}
	q.datacenter.change(func(c *change) {
		if len(reply.Errors) > 0 {
			c.abort()
			return
		}
		reply.Results = []transactionResult{}
		for i, o := range operations {
			e, err := c.perform(o)
			if err != nil {
				reply.Errors = append(reply.Errors, transactionError{OpIndex: i, What: err.Error()})
			}
			if e != nil {
				reply.Results = append(reply.Results, transactionResult{*e})
			}
		}
		if len(reply.Errors) > 0 {
			reply.Results = nil
			c.abort()
		}
	})
	if readOnly(operations) {
		writeLeader(w)
	}
	a := jsonAnswer(reply)
	if len(reply.Errors) > 0 {
		a.code = http.StatusConflict
	}
	a.writeTo(w)
	return nil
}

func readTransaction(w http.ResponseWriter, r *http.Request) ([]operation, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxValue))
	if r.ContentLength > maxValue || err != nil {
		text := fmt.Sprintf("Request body(%d bytes) too large, max size: %d bytes. See %s.", r.ContentLength, maxValue,
			"https://www.consul.io/docs/agent/config/config-files#txn_max_req_len")
		return nil, failure{http.StatusRequestEntityTooLarge, text}
	}
	var rows []struct{ KV *operation }
	if err := json.Unmarshal(data, &rows); err != nil {
		return nil, failure{http.StatusBadRequest, fmt.Sprintf("Failed to parse body: %v", err)}
	}
	if len(rows) > maxOperations {
		text := fmt.Sprintf("Transaction contains too many operations (%d > %d)", len(rows), maxOperations)
		return nil, failure{http.StatusRequestEntityTooLarge, text}
	}
	var operations []operation
	for i, row := range rows {
		if row.KV == nil {
			return nil, failure{http.StatusBadRequest, fmt.Sprintf("operation %d: this stand-in has key operations only", i)}
		}
		operations = append(operations, *row.KV)
	}
	return operations, nil
}

// readOnly reports whether Consul treats the transaction as a read request.
func readOnly(operations []operation) bool {
	return !slices.ContainsFunc(operations, func(o operation) bool {
		return o.Verb == "set" || o.Verb == "cas" || o.Verb == "delete" || o.Verb == "delete-cas"
	})
}

// withoutKey returns an error for each operation without a key. Consul performs no operation then.
func withoutKey(operations []operation) (found []transactionError) {
	for i, o := range operations {
		if o.Key == "" {
			found = append(found, transactionError{OpIndex: i, What: "Must provide key"})
		}
	}
	return found
}

// perform returns the entry that the operation results in, nil if its result has none. Only get keeps the value.
func (c *change) perform(o operation) (*entry, error) {
	old, exists := c.entries[o.Key]
	e := entry{Key: o.Key, Flags: o.Flags, Value: o.Value}
	switch o.Verb {
	case "set":
		return withoutValue(c.set(e)), nil
	case "cas":
		e, done := c.compareAndSet(e, o.Index)
		if !done {
			return nil, fmt.Errorf("failed to set key %q, index is stale", o.Key)
		}
		return withoutValue(e), nil
	case "delete":
		c.delete(o.Key)
		return nil, nil
	case "delete-cas":
		if !c.compareAndDelete(o.Key, o.Index) {
			return nil, fmt.Errorf("failed to delete key %q, index is stale", o.Key)
		}
		return nil, nil
	case "check-not-exists":
		if exists {
			return nil, fmt.Errorf("key %q exists", o.Key)
		}
		return nil, nil
	}
	switch {
	case o.Verb == "get" && exists:
		return &old, nil
	case o.Verb == "get":
		return nil, fmt.Errorf("key %q doesn't exist", o.Key)
	case o.Verb != "check-index":
		return nil, fmt.Errorf("unknown KV verb %q", o.Verb)
	case !exists:
		return nil, fmt.Errorf("failed to check index, key %q doesn't exist", o.Key)
	case old.ModifyIndex != o.Index:
		return nil, fmt.Errorf("failed index check for key %q, current modify index %d != %d",
			o.Key, old.ModifyIndex, o.Index)
	}
	return withoutValue(old), nil
}

func withoutValue(e entry) *entry {
	e.Value = nil
	return &e
}
