package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const heldConnections = 1000

func measureHeld(b *bench) (section, error) {
	window := pick(b, 6*time.Second, 2*time.Second)
	hold := window + 4*time.Second
	s := section{title: "The held agent port",
		how: fmt.Sprintf("A check waits on the held port (TCP_HOLD_PORT, AGENT_HOLD=0.25) when a status file is renamed into place. "+
			"Then, with AGENT_HOLD=%v, %d checks wait at once while nothing changes for %v, and are all answered when something does.", hold, heldConnections, window)}
	car, err := b.start(env{"AGENT_HOLD": hold.String(), "POLLING_INTERVAL": "60"})
	if err != nil {
		return s, err
	}
	defer car.stop() //nolint:errcheck // it stops after the measurement
	if !car.holds() {
		s.notes = append(s.notes, "Skipped: this binary has no held port.")
		return s, nil
	}
	if s.rows, err = car.holdMany(hold, window); err != nil {
		return s, err
	}
	rows, err := b.heldEdits()
	s.rows = append(rows, s.rows...)
	return s, err
}

// holdMany measures many checks that wait while nothing changes, and that a change then answers. No check is held for
// the time of hold after a change. The first verdict is a change too.
func (s *sidecar) holdMany(hold, window time.Duration) ([]row, error) {
	quiet, err := watch(s.pid(), hold+time.Second, window)
	if err != nil {
		return nil, err
	}
	conns := make([]net.Conn, 0, heldConnections)
	defer func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	for range heldConnections {
		conn, err := net.DialTimeout("tcp", s.held, bound)
		if err != nil {
			return nil, err
		}
		conns = append(conns, conn)
	}
	held, err := watch(s.pid(), time.Second, window)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.setStatus("drain"); err != nil {
		return nil, err
	}
	for _, conn := range conns {
		_ = conn.SetDeadline(time.Now().Add(bound))
		if line, err := io.ReadAll(conn); err != nil || !has("drain")(string(line)) {
			return nil, errors.Join(fmt.Errorf("a held check got %q", line), err)
		}
	}
	took := time.Since(began)
	return []row{
		atMost(fmt.Sprintf("%d held connections: anonymous memory", heldConnections), 8,
			float64(held.memory.anonymous-quiet.memory.anonymous)/mebi, 2, "MiB"),
		atMost(fmt.Sprintf("%d held connections: CPU above none while nothing changes, %% of a core", heldConnections), .1,
			held.core()-quiet.core(), 3, "%"),
		unchecked(fmt.Sprintf("%d held connections: status file renamed → all have the reply", heldConnections),
			amount(milliseconds(took), 1, "ms")),
	}, nil
}

// heldEdits measures how long it takes until an edit answers a held check. AGENT_HOLD is short, because no check is
// held for that time after a change.
func (b *bench) heldEdits() ([]row, error) {
	car, err := b.start(env{"AGENT_HOLD": "0.25", "POLLING_INTERVAL": "60"})
	if err != nil {
		return nil, err
	}
	defer car.stop() //nolint:errcheck // it stops after the measurement
	var took []time.Duration
	for i := range pick(b, 60, 8) {
		word := [...]string{"drain", "ready"}[i%2]
		if err := car.write(word); err != nil {
			return nil, err
		}
		d, err := car.heldEdit(word)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	return []row{
		unchecked(fmt.Sprintf("status file renamed → a held check is answered, p50 of %d", len(took)),
			amount(milliseconds(percentile(took, .5)), 2, "ms")),
		unchecked("status file renamed → a held check is answered, p99", amount(milliseconds(percentile(took, .99)), 2, "ms")),
	}, nil
}

// heldEdit renames the status file while a check is held. It returns the time until the reply.
func (s *sidecar) heldEdit(word string) (time.Duration, error) {
	const afterChange = 300 * time.Millisecond // longer than AGENT_HOLD, in which no check is held
	for range 10 {
		nap(afterChange)
		line := make(chan string, 1)
		sent := time.Now()
		go func() {
			text, _ := agentCheck(s.held)
			line <- text
		}()
		upTo(50 * time.Millisecond)
		nap(20 * time.Millisecond)
		if len(line) > 0 {
			continue // it was not held
		}
		began := time.Now()
		if err := s.rename(); err != nil {
			return 0, err
		}
		text := <-line
		replied := time.Now()
		if !has(word)(text) {
			return 0, fmt.Errorf("a held check got %q, not %s, after %v", text, word, replied.Sub(sent))
		}
		return replied.Sub(began), nil
	}
	return 0, errors.New("no check was held")
}
