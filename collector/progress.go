package collector

import (
	"fmt"
	"sync/atomic"
	"time"
)

// slack is how much later than it should a poll may begin or end: machines are busy.
const slack = 5 * time.Second

// progress is by when a poll loop will have made its next step: ended the poll that is under way, or begun the next one.
type progress struct {
	name string
	due  atomic.Pointer[time.Time] // nil before the first poll
}

// expect says when the next step should be made.
func (p *progress) expect(at time.Time) {
	due := at.Add(slack)
	p.due.Store(&due)
}

// Overdue implements Collector.
func (p *progress) Overdue(now time.Time) error {
	due := p.due.Load()
	if due == nil || !now.After(*due) {
		return nil
	}
	return fmt.Errorf("poll of %s is overdue by %s", p.name, (now.Sub(*due) + slack).Round(time.Millisecond))
}
