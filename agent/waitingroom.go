package agent

import (
	"bytes"
	"sync/atomic"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// waitingRoom keeps connections until there is something to say: on both ports until the first verdict, and on the held
// one until the line changes. All of them belong to the goroutine of run.
type waitingRoom struct {
	source   Source
	hold     time.Duration // 0: not after the first verdict
	arrivals chan int      // sockets; closed when there will be no more
	checks   *checks

	verdictWait time.Duration
	settle      time.Duration // after a change nobody is held for so long; equal to hold
	places      int
	waiting     atomic.Int64 // connections

	queue    []waiting // oldest first, which is the order of their deadlines
	answered lingering
	line     []byte // as it was noticed last
	changed  time.Time
}

// waiting is a connection that was not answered yet.
type waiting struct {
	fd    int
	until time.Time
}

func newWaitingRoom(o Options, checks *checks) *waitingRoom {
	return &waitingRoom{
		source: o.Source, hold: o.Hold, settle: o.Hold, arrivals: make(chan int), checks: checks,
		verdictWait: verdictWait, places: o.places(), answered: newLingering(maxWaiting),
	}
}

// run keeps the room until arrivals is closed: then all who wait get the current line, if there is one.
func (r *waitingRoom) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		s := r.source.Current()
		now := time.Now()
		r.update(s, now)
		select {
		case <-r.superseded(s):
		case <-r.alarm(timer, now):
		case fd, ok := <-r.arrivals:
			if !ok {
				r.dismiss(len(r.queue), r.source.Current(), time.Now())
				r.answered.closeAll()
				return
			}
			r.admit(fd, time.Now())
		}
	}
}

// superseded is the channel of a snapshot that may be followed by one that matters here.
func (r *waitingRoom) superseded(s *health.Snapshot) <-chan struct{} {
	if r.hold == 0 && s.Verdict.Known {
		return nil
	}
	return s.Superseded()
}

// update does what is to be done now that the snapshot is the current one.
func (r *waitingRoom) update(s *health.Snapshot, now time.Time) {
	if s.Verdict.Known && !bytes.Equal(s.AgentLine, r.line) {
		r.line, r.changed = s.AgentLine, now
		r.dismiss(len(r.queue), s, now)
	}
	overdue := 0
	for overdue < len(r.queue) && !now.Before(r.queue[overdue].until) {
		overdue++
	}
	r.dismiss(overdue, s, now)
	r.answered.tend(now)
}

// admit takes a connection in, or answers it at once: where it is not to wait, and where there is no place left.
func (r *waitingRoom) admit(fd int, now time.Time) {
	s := r.source.Current()
	stay := r.verdictWait
	if s.Verdict.Known {
		stay = holdOf(s, r.hold)
	}
	if settling := s.Verdict.Known && now.Sub(r.changed) < r.settle; stay == 0 || settling || len(r.queue) >= r.places {
		r.say(fd, s, now)
		return
	}
	r.queue = append(r.queue, waiting{fd, now.Add(stay)})
	r.waiting.Store(int64(len(r.queue)))
}

// holdOf returns how long a connection is held at most while s is current. What keeps traffic away must soon reach a
// HAProxy that was just reloaded: it starts with every server up.
func holdOf(s *health.Snapshot, hold time.Duration) time.Duration {
	if s.Verdict.Healthy && s.Verdict.Status == health.StatusReady {
		return hold
	}
	return min(hold, notReadyHold)
}

// dismiss answers the first n.
func (r *waitingRoom) dismiss(n int, s *health.Snapshot, now time.Time) {
	if n == 0 {
		return
	}
	for _, w := range r.queue[:n] {
		r.say(w.fd, s, now)
	}
	r.queue = r.queue[n:]
	r.waiting.Store(int64(len(r.queue)))
}

func (r *waitingRoom) say(fd int, s *health.Snapshot, now time.Time) {
	if r.checks.answer(fd, s) {
		r.answered.add(fd, now)
	}
}

// alarm sets the timer to when there is something to do without a new snapshot; nil without any such moment.
func (r *waitingRoom) alarm(timer *time.Timer, now time.Time) <-chan time.Time {
	d := r.answered.pause()
	if len(r.queue) > 0 {
		if oldest := r.queue[0].until.Sub(now); d == 0 || oldest < d {
			d = oldest
		}
	} else if d == 0 {
		return nil
	}
	timer.Reset(d)
	return timer.C
}
