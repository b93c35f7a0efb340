package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
)

// polling is the POLLING_INTERVAL in the sections where it matters; probing is the PROBE_TIMEOUT.
const (
	polling = 5 * time.Second
	probing = 3 * time.Second
)

// events holds, for each kind of event, the times until it was visible.
type events struct {
	mu   sync.Mutex
	took map[string][]time.Duration
}

func (e *events) add(kind string, d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.took == nil {
		e.took = map[string][]time.Duration{}
	}
	e.took[kind] = append(e.took[kind], d)
}

// lanes runs a story n times at the same time, and returns when all have returned.
func lanes(n int, story func(lane int) error) error {
	failures := make([]error, n)
	var running sync.WaitGroup
	for lane := range n {
		running.Go(func() { failures[lane] = story(lane) })
	}
	running.Wait()
	return errors.Join(failures...)
}

func measureServices(b *bench) (section, error) {
	s := section{title: "Death, hang and return of a service",
		how: "A service's listener and connections are closed, as the kernel does when a process dies. Or it accepts connections and never replies. Or it is available again. " +
			"Each at a random moment between two polls, on several sidecars and nodes at once; clients check their agent every 3 ms. " +
			"POLLING_INTERVAL=5, PROBE_TIMEOUT=3, neither dampening nor grace."}
	var delays events
	err := lanes(pick(b, 6, 4), func(lane int) error { return b.serviceEvents(lane, &delays) })
	s.rows = serviceRows(&delays)
	return s, err
}

func serviceRows(delays *events) (rows []row) {
	for _, f := range []struct {
		kind string
		goal float64
	}{{"jicofo death", 80}, {"prosody death", 80}, {"jicofo hang", milliseconds(polling+probing) + 100},
		{"jicofo back", 1000}} {
		took := delays.took[f.kind]
		name := fmt.Sprintf("%s → changed reply, p50 of %d", f.kind, len(took))
		rows = append(rows, unchecked(name, amount(milliseconds(percentile(took, .5)), 1, "ms")),
			atMost(f.kind+" → changed reply, p99", f.goal, milliseconds(percentile(took, .99)), 1, "ms"))
	}
	return rows
}

// serviceEvents runs the events of one lane. In quick mode a lane has either deaths or hangs.
func (b *bench) serviceEvents(lane int, delays *events) error {
	car, err := b.start(nil)
	if err != nil {
		return err
	}
	defer car.stop() //nolint:errcheck // it stops after the measurement
	jicofo, prosody := car.node.Jicofo, car.node.Prosody
	deaths, hangs := pick(b, 3, (lane+1)%2), pick(b, 2, lane%2)
	for range deaths {
		if err := car.time(delays, "jicofo death", "jicofo back", jicofo.Crash, jicofo.Recover); err != nil {
			return err
		}
		if err := car.time(delays, "prosody death", "prosody back", prosody.Crash, prosody.Recover); err != nil {
			return err
		}
	}
	for range hangs {
		hang := func() error { jicofo.Set("", signalnode.MustParseBehavior("hang")); return nil }
		answer := func() error { jicofo.Set("", signalnode.Behavior{}); return nil }
		if err := car.time(delays, "jicofo hang", "jicofo answers", hang, answer); err != nil {
			return err
		}
	}
	return nil
}

// time measures the time from a failure to a changed reply, and from the end of the failure to the next change.
func (s *sidecar) time(delays *events, failing, recovering string, fail, mend func() error) error {
	const often = 3 * time.Millisecond
	for _, step := range []struct {
		kind  string
		pause time.Duration
		do    func() error
		fits  func(string) bool
	}{{failing, polling, fail, isNotUp}, {recovering, time.Second, mend, isUp}} {
		nap(100 * time.Millisecond)
		upTo(step.pause)
		began := time.Now()
		if err := step.do(); err != nil {
			return err
		}
		changed, err := s.await(often, step.fits)
		if err != nil {
			return fmt.Errorf("%s: %w", step.kind, err)
		}
		delays.add(step.kind, changed.Sub(began))
	}
	return nil
}
