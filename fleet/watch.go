package fleet

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	maxWait = time.Minute // of a blocking query

	// A change of a list starts the transfer of the whole list, so the next blocking query waits a little, and longer for
	// a large one.
	restTime  = 250 * time.Millisecond
	restBytes = 8 << 20 // for each second

	maxBackoff       = 30 * time.Second
	publishEvery     = time.Second // ages change, and reports become stale
	publishAtMost    = 200 * time.Millisecond
	datacentersEvery = time.Minute
)

// Watcher follows the fleet with blocking queries and publishes it to any number of subscribers. There is one set of
// queries for all of them, and none once there has been no subscriber for Options.Linger.
type Watcher struct {
	o Options

	mu          sync.Mutex
	subscribers map[chan *View]bool
	changed     chan struct{} // closed and replaced when the number of subscribers changes
	latest      *View         // nil while nothing is followed
}

// NewWatcher returns a Watcher. It does nothing until Run.
func NewWatcher(o Options) *Watcher {
	return &Watcher{o: o, subscribers: map[chan *View]bool{}, changed: make(chan struct{})}
}

// Subscribe returns a channel of views, until ctx ends; it is closed then. A subscriber that is slower than the views
// misses some, but never the latest. The first view comes when everything has been read once or has failed.
func (w *Watcher) Subscribe(ctx context.Context) <-chan *View {
	views := make(chan *View, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.latest != nil {
		views <- w.latest
	}
	w.subscribers[views] = true
	w.notify()
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.subscribers, views)
		close(views)
		w.notify()
	})
	return views
}

// notify wakes those who wait for a change of the subscribers. w.mu must be held.
func (w *Watcher) notify() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// Run follows the fleet while there are subscribers, until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	for w.wait(ctx, func() bool { return len(w.subscribers) > 0 }) && ctx.Err() == nil {
		inner, cancel := context.WithCancel(ctx)
		var followers sync.WaitGroup
		followers.Go(func() { w.follow(inner) })
		w.awaitAbandoned(ctx)
		cancel()
		followers.Wait()
		w.mu.Lock()
		w.latest = nil
		w.mu.Unlock()
	}
	return nil
}

// awaitAbandoned waits until there has been no subscriber for the time to linger, or ctx ends.
func (w *Watcher) awaitAbandoned(ctx context.Context) {
	for w.wait(ctx, w.abandoned) && pause(ctx, w.o.Linger) {
		w.mu.Lock()
		abandoned := w.abandoned()
		w.mu.Unlock()
		if abandoned {
			return
		}
	}
}

// abandoned reports whether there is no subscriber. w.mu must be held.
func (w *Watcher) abandoned() bool { return len(w.subscribers) == 0 }

// wait waits for a condition on the subscribers. It returns false if ctx ended first. condition runs with w.mu held.
func (w *Watcher) wait(ctx context.Context, condition func() bool) bool {
	for {
		w.mu.Lock()
		holds, changed := condition(), w.changed
		w.mu.Unlock()
		if holds {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

// publish sends a view to each subscriber, instead of one that it has not received yet.
func (w *Watcher) publish(v *View) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.latest = v
	for views := range w.subscribers {
		select {
		case <-views:
		default:
		}
		views <- v
	}
}

// follow reads everything until ctx ends, and publishes a view at each change and each second.
func (w *Watcher) follow(ctx context.Context) {
	s := &sources{o: w.o, changed: make(chan struct{}, 1)}
	var readers sync.WaitGroup
	defer readers.Wait()
	readers.Go(func() { s.followDatacenters(ctx) })
	s.haproxys = make([]source[[]Belief], len(w.o.HAProxys))
	for i, h := range w.o.HAProxys {
		readers.Go(func() { s.followHAProxy(ctx, h, &s.haproxys[i]) })
	}
	d := disagreements{}
	tick := time.NewTicker(publishEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.changed:
		}
		if v := s.present(ctx, d); v != nil {
			w.publish(v)
		}
		if !pause(ctx, publishAtMost) {
			return
		}
	}
}

// pause waits for a time. It returns false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// newBackoff returns the times between failed requests: from 0.5 to 1.5 seconds first, later from 15 to 45 seconds.
func newBackoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = time.Second, maxBackoff
	return b
}

// jitter returns a time between half of d and d.
func jitter(d time.Duration) time.Duration { return d - rand.N(d/2+1) } //nolint:gosec // no secret
