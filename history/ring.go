package history

import "time"

// ring keeps the latest entries, up to a fixed number.
type ring[T any] struct {
	entries []entry[T] // allocated once, in full length
	next    int        // index of the next entry
	full    bool
}

type entry[T any] struct {
	at    time.Time
	value T
}

func newRing[T any](size int) ring[T] { return ring[T]{entries: make([]entry[T], size)} }

func (r *ring[T]) add(at time.Time, value T) {
	r.entries[r.next] = entry[T]{at, value}
	r.next = (r.next + 1) % len(r.entries)
	r.full = r.full || r.next == 0
}

// last returns the latest entry, nil before the first.
func (r *ring[T]) last() *entry[T] {
	if r.next == 0 && !r.full {
		return nil
	}
	return &r.entries[(r.next-1+len(r.entries))%len(r.entries)]
}

// since returns the entries at t and later, newest first. It never returns nil, so that JSON shows a list.
func (r *ring[T]) since(t time.Time) []T {
	count := r.next
	if r.full {
		count = len(r.entries)
	}
	values := []T{}
	for i := range count {
		e := r.entries[(r.next-1-i+len(r.entries))%len(r.entries)]
		if !e.at.Before(t) { // no early exit: a wall clock that was set back makes times unordered
			values = append(values, e.value)
		}
	}
	return values
}
