package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/signal-sidecar/signal-sidecar/guard"
)

// panicPause is the time after a panic during which the Watcher makes no view, so that the log is not flooded.
const panicPause = 10 * time.Second

// source is the last value of something that is read repeatedly.
type source[T any] struct {
	value T
	ok    bool      // whether there is a value
	at    time.Time // when the value was read
	err   error     // of the last read
}

// tried reports whether it was read at least once, with or without success.
func (s *source[T]) tried() bool { return s.ok || s.err != nil }

// set keeps the last good value.
func (s *source[T]) set(value T, err error) {
	if err == nil {
		s.value, s.ok, s.at = value, true, time.Now()
	}
	s.err = err
}

// followed is a datacenter that is followed, part by part.
type followed struct {
	*datacenter
	parts  []source[func(*contents)] // as in parts
	cancel context.CancelFunc
}

// sources is what a Watcher reads.
type sources struct {
	o       Options
	changed chan struct{} // has a value after a change

	mu          sync.Mutex
	names       source[[]string]
	datacenters []*followed
	haproxys    []source[[]Belief]
}

// update changes the sources and reports the change.
func (s *sources) update(change func()) {
	func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		change()
	}()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// try runs a read. If there is a Guard, a panic of the read is its error.
func (o Options) try(ctx context.Context, what string, read func() error) (err error) {
	if o.Guard != nil {
		defer func() {
			if value := recover(); value != nil {
				o.Guard.Caught(ctx, guard.Consul, "fleet: "+what, value)
				err = fmt.Errorf("%s: %w", what, errPanic)
			}
		}()
	}
	return read()
}

var errPanic = errors.New("a bug of this sidecar: its log has the stack of the panic")

// present returns the present view, nil while something was not read yet. If there is a Guard, a view that cannot be
// made has only the problem, and comes after panicPause.
func (s *sources) present(ctx context.Context, d disagreements) (v *View) {
	if err := s.o.try(ctx, "view", func() error {
		v = s.view(d)
		return nil
	}); err != nil {
		pause(ctx, panicPause)
		return &View{At: time.Now(), Problems: []string{err.Error()}}
	}
	return v
}

// view returns the present view, nil while something was not read yet. A datacenter has rows once each of its parts was
// read; a part that fails later keeps its last value, with a problem.
func (s *sources) view(d disagreements) *View {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.names.tried() {
		return nil
	}
	var problems []string
	var outdated time.Time
	failed := func(err error, lastRead time.Time) {
		if err == nil {
			return
		}
		problems = append(problems, err.Error())
		if !lastRead.IsZero() && (outdated.IsZero() || lastRead.Before(outdated)) {
			outdated = lastRead
		}
	}
	failed(s.names.err, s.names.at)
	var all []*contents
	for _, dc := range s.datacenters {
		c, complete := &contents{datacenter: dc.name}, true
		for i := range dc.parts {
			p := &dc.parts[i]
			if !p.tried() {
				return nil
			}
			if failed(p.err, p.at); p.ok {
				p.value(c)
			}
			complete = complete && p.ok
		}
		if complete {
			all = append(all, c)
		}
	}
	var servers []Belief
	for i := range s.haproxys {
		h := &s.haproxys[i]
		if !h.tried() {
			return nil
		}
		if failed(h.err, time.Time{}); h.err == nil { // an old belief is worse than none
			servers = append(servers, h.value...)
		}
	}
	v, _ := s.o.view(time.Now(), all, byShard(servers, s.o.ServerPattern), d)
	v.Problems, v.Outdated = problems, outdated
	return v
}

// followDatacenters follows each datacenter, also those that come and go, until ctx ends.
func (s *sources) followDatacenters(ctx context.Context) {
	var followers sync.WaitGroup
	defer followers.Wait()
	retry := newBackoff()
	for {
		var names []string
		err := s.o.try(ctx, "datacenters", func() (err error) {
			names, err = s.o.datacenters(ctx)
			return err
		})
		if ctx.Err() != nil {
			return
		}
		s.update(func() {
			if s.names.set(names, err); err != nil {
				return
			}
			s.datacenters = slices.DeleteFunc(s.datacenters, func(f *followed) bool {
				gone := !slices.Contains(names, f.name)
				if gone {
					f.cancel()
				}
				return gone
			})
			for _, name := range names {
				if !slices.ContainsFunc(s.datacenters, func(f *followed) bool { return f.name == name }) {
					s.add(ctx, name, &followers)
				}
			}
		})
		next := datacentersEvery
		if err != nil {
			next = retry.NextBackOff()
		} else {
			retry.Reset()
		}
		if !pause(ctx, next) {
			return
		}
	}
}

// add begins to follow a datacenter. s.mu must be held.
func (s *sources) add(ctx context.Context, name string, followers *sync.WaitGroup) {
	ctx, cancel := context.WithCancel(ctx)
	f := &followed{s.o.newDatacenter(name), make([]source[func(*contents)], len(parts)), cancel}
	s.datacenters = append(s.datacenters, f)
	for i, p := range parts {
		followers.Go(func() { s.followPart(ctx, f.datacenter, p, &f.parts[i]) })
	}
}

// followPart repeats a blocking query until ctx ends.
func (s *sources) followPart(ctx context.Context, d *datacenter, p part, to *source[func(*contents)]) {
	retry, last := newBackoff(), uint64(0)
	for {
		var set func(*contents)
		var index uint64
		var size int
		err := s.o.try(ctx, p.what, func() (err error) {
			set, index, size, err = p.read(d, ctx, query{index: last})
			return err
		})
		if ctx.Err() != nil {
			return
		}
		s.update(func() { to.set(set, d.failed(p.what, err)) })
		rest := jitter(restTime + time.Duration(size)*time.Second/restBytes)
		switch {
		case err != nil:
			// The next query must not wait: the list may have changed meanwhile.
			last, rest = 0, retry.NextBackOff()
		case index < last || index == 0: // Consul's state was restored, or something else answered
			last, rest = 0, max(rest, time.Second)
			retry.Reset()
		default:
			last = index
			retry.Reset()
		}
		if !pause(ctx, rest) {
			return
		}
	}
}

// followHAProxy samples an HAProxy's statistics until ctx ends.
func (s *sources) followHAProxy(ctx context.Context, h *HAProxy, to *source[[]Belief]) {
	every := time.NewTicker(min(max(s.o.CheckTime/4, minSample), maxSample))
	defer every.Stop()
	for {
		var servers []Belief
		err := s.o.try(ctx, "HAProxy", func() (err error) {
			servers, err = h.servers(ctx)
			return err
		})
		if ctx.Err() != nil {
			return
		}
		s.update(func() { to.set(servers, err) })
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}
