package collector

import (
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// overdueAfter is the delay of the start or the end of a poll after which it is overdue.
	overdueAfter = 500 * time.Millisecond
	// stuckAfter is the delay of the next step of a loop after which it is stuck.
	stuckAfter = 5 * time.Second
)

// progress holds the times of a polling loop's next steps. Only the loop writes it; any goroutine may read it.
type progress struct {
	name string
	due  atomic.Pointer[time.Time] // when the next poll begins, or the current one ends; nil before the first
	step atomic.Pointer[time.Time] // when the loop makes its next step, whatever it is; nil before the first

	open bool // a poll has begun and has no result yet: due does not change until it has
}

// expect sets the time when the next poll begins, or when the one without a result is repeated.
func (p *progress) expect(at time.Time) {
	p.step.Store(&at)
	if !p.open {
		p.due.Store(&at)
	}
}

// begin records that a poll begins now and ends by end. A poll that begins late is overdue until it has ended.
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

// end records that the poll has ended, and when the next one begins.
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
