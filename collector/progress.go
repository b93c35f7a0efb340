package collector

import (
	"fmt"
	"sync/atomic"
	"time"
)

// overdueAfter is the delay of the start or the end of a poll after which it is overdue.
const overdueAfter = 500 * time.Millisecond

// progress holds the times of a polling loop. Only the loop writes it; any goroutine may read it.
type progress struct {
	name   string
	due    atomic.Pointer[time.Time] // when the next poll begins, or the current one ends; nil before the first
	ended  atomic.Pointer[time.Time] // when the latest poll ended, with or without a result; nil before the first
	result atomic.Pointer[time.Time] // when the latest poll with a result ended; nil before the first

	open bool // a poll has begun and has no result yet: due does not change until it has
}

// expect sets the time when the next poll begins.
func (p *progress) expect(at time.Time) {
	if !p.open {
		p.due.Store(&at)
	}
}

// begin records that a poll begins now and ends by end. A poll that begins late is overdue until it has ended.
func (p *progress) begin(now, end time.Time) {
	if p.open {
		return
	}
	p.open = true
	if p.Overdue(now) == nil {
		p.due.Store(&end)
	}
}

// fail records that the poll has ended without a result. It is made again.
func (p *progress) fail() {
	now := time.Now()
	p.ended.Store(&now)
}

// end records that the poll has ended with a result, and when the next one begins.
func (p *progress) end(next time.Time) {
	now := time.Now()
	p.ended.Store(&now)
	p.result.Store(&now)
	p.open = false
	p.expect(next)
}

func (p *progress) times() *progress { return p }

// Overdue implements Collector.
func (p *progress) Overdue(now time.Time) error {
	due := p.due.Load()
	if due == nil || !now.After(due.Add(overdueAfter)) {
		return nil
	}
	return fmt.Errorf("poll of %s is overdue by %s", p.name, now.Sub(*due).Round(time.Millisecond))
}
