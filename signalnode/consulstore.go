package signalnode

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
)

// entry is a key with its value, in Consul's JSON form.
type entry struct {
	LockIndex   uint64
	Key         string
	Flags       uint64
	Value       []byte // nil for an empty one, which is null in JSON
	CreateIndex uint64
	ModifyIndex uint64
}

// datacenter is the state of one datacenter. As in Consul, index counts its writes, and every key and service has the
// index of its last change.
type datacenter struct {
	mu      sync.Mutex
	index   uint64
	changed chan struct{} // closed and replaced by each write

	entries   map[string]entry
	graves    map[string]uint64 // indexes of deletions, by key, or by prefix for a recursive one
	keysIndex uint64            // of the last change of any key

	services     map[string]map[string]Instance // by name and ID
	serviceIndex map[string]uint64              // of the last change of a service, by name; kept when it is gone
	catalogIndex uint64                         // of the last change of any service
}

func newDatacenter() *datacenter {
	return &datacenter{
		index:        1,
		changed:      make(chan struct{}),
		entries:      make(map[string]entry),
		graves:       make(map[string]uint64),
		services:     make(map[string]map[string]Instance),
		serviceIndex: make(map[string]uint64),
	}
}

// write runs f with the index of a new write, and wakes the blocking queries.
func (d *datacenter) write(f func(index uint64)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.index++
	f(d.index)
	close(d.changed)
	d.changed = make(chan struct{})
}

// change changes keys. Nothing is changed if f calls change.abort.
func (d *datacenter) change(f func(*change)) {
	d.write(func(index uint64) {
		c := &change{index: index, entries: maps.Clone(d.entries), graves: maps.Clone(d.graves), last: d.keysIndex}
		if f(c); !c.aborted {
			d.entries, d.graves, d.keysIndex = c.entries, c.graves, c.last
		}
	})
}

// list returns the entries with a prefix, sorted by key. d.mu must be held.
func (d *datacenter) list(prefix string) []entry {
	var found []entry
	for key, e := range d.entries {
		if strings.HasPrefix(key, prefix) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b entry) int { return cmp.Compare(a.Key, b.Key) })
	return found
}

// listIndex returns the index of a list: that of the last change or deletion under the prefix, or of any key if there
// was none. d.mu must be held.
func (d *datacenter) listIndex(prefix string, found []entry) uint64 {
	var index uint64
	for _, e := range found {
		index = max(index, e.ModifyIndex)
	}
	for key, grave := range d.graves {
		if strings.HasPrefix(key, prefix) {
			index = max(index, grave)
		}
	}
	if index == 0 || prefix == "" {
		return d.keysIndex
	}
	return index
}

// change is a write of keys that is not visible yet.
type change struct {
	index   uint64
	entries map[string]entry
	graves  map[string]uint64
	last    uint64
	aborted bool
}

func (c *change) abort() { c.aborted = true }

// set stores an entry and returns it with its indexes. An entry with the same value and flags keeps its ModifyIndex.
func (c *change) set(e entry) entry {
	if len(e.Value) == 0 {
		e.Value = nil
	}
	old, exists := c.entries[e.Key]
	e.CreateIndex, e.ModifyIndex = c.index, c.index
	if exists {
		e.CreateIndex = old.CreateIndex
		if e.Flags == old.Flags && bytes.Equal(e.Value, old.Value) {
			return old
		}
	}
	c.entries[e.Key] = e
	c.last = c.index
	return e
}

// compareAndSet is set if the key's ModifyIndex is index; 0 stands for a key that does not exist.
func (c *change) compareAndSet(e entry, index uint64) (entry, bool) {
	old, exists := c.entries[e.Key]
	if exists != (index != 0) || old.ModifyIndex != index {
		return entry{}, false
	}
	return c.set(e), true
}

func (c *change) delete(key string) {
	if _, exists := c.entries[key]; !exists {
		return
	}
	delete(c.entries, key)
	c.graves[key] = c.index
	c.last = c.index
}

// compareAndDelete deletes the key if its ModifyIndex is index. A key that does not exist counts as deleted.
func (c *change) compareAndDelete(key string, index uint64) bool {
	old, exists := c.entries[key]
	if exists && old.ModifyIndex != index {
		return false
	}
	c.delete(key)
	return true
}

func (c *change) deleteTree(prefix string) {
	before := len(c.entries)
	maps.DeleteFunc(c.entries, func(key string, _ entry) bool { return strings.HasPrefix(key, prefix) })
	if len(c.entries) == before {
		return
	}
	c.graves[prefix] = c.index
	c.last = c.index
}
