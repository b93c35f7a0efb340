package history

import "time"

// ring keeps the last entries, as many as it was made for.
type ring[T any] struct {
	entries []entry[T] // all of them are allocated at once
	next    int        // where the next one goes
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

// since returns the entries of a moment and after it, newest first; never nil, so that JSON shows a list.
func (r *ring[T]) since(t time.Time) []T {
	count := r.next
	if r.full {
		count = len(r.entries)
	}
	values := []T{}
	for i := range count {
		e := r.entries[(r.next-1-i+len(r.entries))%len(r.entries)]
		if !e.at.Before(t) { // to the end: the wall clock may have been set in between
			values = append(values, e.value)
		}
	}
	return values
}
