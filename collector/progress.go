package collector

import (
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// overdueAfter is by how much a poll may begin or end late before it is overdue (spec section 2).
	overdueAfter = 500 * time.Millisecond
	// stuckAfter is by how much a loop may make its next step late before it counts as stuck.
	stuckAfter = 5 * time.Second
)

// progress is by when a poll loop has to make its next step. The loop writes it, any goroutine may read it.
type progress struct {
	name string
	due  atomic.Pointer[time.Time] // by when the next poll begins, or the one under way ends; nil before the first
	step atomic.Pointer[time.Time] // by when the loop makes its next step, whatever that is; nil before the first

	open bool // a poll has begun and has not found anything yet: due stays until it has
}

// expect notes when the next poll begins, or the one that found nothing is made again.
func (p *progress) expect(at time.Time) {
	p.step.Store(&at)
	if !p.open {
		p.due.Store(&at)
	}
}

// begin notes that a poll begins now, and by when it ends. One that begins late is overdue until it has ended.
func (p *progress) begin(now, end time.Time) {
	p.step.Store(&end)
	if p.open {
		return
	}
	p.open = true
	if p.Overdue(now) == nil {
		p.due.Store(&end)
	}
}

// end notes that the poll has ended, and when the next one begins.
func (p *progress) end(next time.Time) {
	p.open = false
	p.expect(next)
}

// Overdue implements Collector.
func (p *progress) Overdue(now time.Time) error { return p.late(p.due.Load(), now, overdueAfter) }

// Stuck implements Collector.
func (p *progress) Stuck(now time.Time) error { return p.late(p.step.Load(), now, stuckAfter) }

func (p *progress) late(due *time.Time, now time.Time, slack time.Duration) error {
	if due == nil || !now.After(due.Add(slack)) {
		return nil
	}
	return fmt.Errorf("poll of %s is overdue by %s", p.name, now.Sub(*due).Round(time.Millisecond))
}
