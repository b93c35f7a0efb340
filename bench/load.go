package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// target is a server to put under load. Each client has a send function of its own, which sends one request.
type target struct {
	pid    int
	client func() (send func() error, done func(), err error)
}

// load is the result of putting a target under load.
type load struct {
	latencies []time.Duration
	failed    int
	cpu       time.Duration // of the target
	took      time.Duration
}

// perSecond returns the number of replies per second.
func (l load) perSecond() float64 { return float64(len(l.latencies)) / l.took.Seconds() }

// cost returns the target's CPU time per reply, in microseconds.
func (l load) cost() float64 { return microseconds(l.cpu) / float64(max(1, len(l.latencies))) }

// drive runs clients for the time d. Each sends one request after the other.
func (t target) drive(clients int, d time.Duration) (load, error) {
	before, err := cpuTime(t.pid)
	if err != nil {
		return load{}, err
	}
	var mu sync.Mutex
	var all load
	var failure error
	var working sync.WaitGroup
	began := time.Now()
	for range clients {
		working.Go(func() {
			latencies, failed, err := t.work(began.Add(d))
			mu.Lock()
			defer mu.Unlock()
			all.latencies, all.failed = append(all.latencies, latencies...), all.failed+failed
			if err != nil {
				failure = err
			}
		})
	}
	working.Wait()
	all.took = time.Since(began)
	after, err := cpuTime(t.pid)
	all.cpu = after - before
	switch {
	case err != nil:
		return all, err
	case len(all.latencies) == 0:
		return all, fmt.Errorf("nothing was answered: %w", failure)
	}
	return all, nil
}

// work runs one client; err is its last failure.
func (t target) work(end time.Time) (latencies []time.Duration, failed int, err error) {
	send, done, err := t.client()
	if err != nil {
		return nil, 1, err
	}
	defer done()
	for time.Now().Before(end) {
		began := time.Now()
		if problem := send(); problem != nil {
			err, failed = problem, failed+1
			if failed > 1000 {
				break
			}
			continue
		}
		latencies = append(latencies, time.Since(began))
	}
	return latencies, failed, err
}

// checks returns an agent as a target.
func checks(pid int, address string) target {
	return target{pid, func() (func() error, func(), error) {
		return func() error {
			line, err := agentCheck(address)
			if err == nil && line != upLine {
				err = fmt.Errorf("the reply was %q", line)
			}
			return err
		}, func() {}, nil
	}}
}

// requests returns an HTTP server as a target. Each client keeps its connection.
func requests(pid int, address, path string) target {
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: node\r\n\r\n")
	return target{pid, func() (func() error, func(), error) {
		conn, err := net.DialTimeout("tcp", address, bound)
		if err != nil {
			return nil, nil, err
		}
		reader := bufio.NewReader(conn)
		return func() error { return exchange(conn, reader, request) }, func() { _ = conn.Close() }, nil
	}}
}

func exchange(conn net.Conn, reader *bufio.Reader, request []byte) error {
	if err := conn.SetDeadline(time.Now().Add(bound)); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer was %s", answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// inTurn puts the targets under load in turn, so that a change in the machine's speed affects all of them. It returns
// the rounds of each target.
func inTurn(rounds, clients int, d time.Duration, targets ...target) ([][]load, error) {
	all := make([][]load, len(targets))
	for _, t := range targets {
		if _, err := t.drive(clients, d/4); err != nil { // warm-up
			return nil, err
		}
	}
	for range rounds {
		for i, t := range targets {
			l, err := t.drive(clients, d)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], l)
		}
	}
	return all, nil
}

// of returns one figure of each round.
func of(rounds []load, figure func(load) float64) []float64 {
	var values []float64
	for _, l := range rounds {
		values = append(values, figure(l))
	}
	return values
}

// latencies returns the latencies of all rounds.
func latencies(rounds []load) []time.Duration {
	var all []time.Duration
	for _, l := range rounds {
		all = append(all, l.latencies...)
	}
	return all
}
