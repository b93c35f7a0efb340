package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

func measureConnections(b *bench) (section, error) {
	s := section{title: "Growth: idle HTTP connections",
		how: "Connections that got one response and stay open. The sidecar serves as many at once as half of its file descriptors, and never more than 1,024; " +
			"a new one then replaces the longest idle one. At the same time a client checks the agent.",
		growth: [][]string{{"requested", "served", "anonymous", "RSS", "per connection", "descriptors", "agent p50"}}}
	for _, wanted := range []int{0, 100, 500, 1000} {
		line, err := b.idleConnections(wanted)
		if err != nil {
			return s, err
		}
		s.growth = append(s.growth, line)
	}
	return s, nil
}

func (b *bench) idleConnections(wanted int) ([]string, error) {
	car, err := b.start(nil)
	if err != nil {
		return nil, err
	}
	defer car.stop() //nolint:errcheck // it stops after the measurement
	before, err := readMemory(car.pid())
	if err != nil {
		return nil, err
	}
	kept := keepConnections(car.http, wanted)
	defer func() {
		for _, conn := range kept {
			_ = conn.Close()
		}
	}()
	nap(200 * time.Millisecond)
	after, err := readMemory(car.pid())
	if err != nil {
		return nil, err
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", car.pid()))
	if err != nil {
		return nil, err
	}
	l, err := checks(car.pid(), car.agent).drive(1, 300*time.Millisecond)
	if err != nil {
		return nil, err
	}
	each := float64(after.anonymous-before.anonymous) / float64(max(1, len(kept)))
	return []string{fmt.Sprint(wanted), fmt.Sprint(len(kept)), amount(float64(after.anonymous)/mebi, 1, "MiB"),
		amount(float64(after.rss)/mebi, 1, "MiB"),
		amount(each, 1, "KiB"), fmt.Sprint(len(open)), amount(microseconds(percentile(l.latencies, .5)), 0, "µs")}, nil
}

// keepConnections opens up to n connections and returns those on which a request got a reply. It gives up after several
// that got none.
func keepConnections(address string, n int) (kept []net.Conn) {
	var mu sync.Mutex
	refused := 0
	var opening sync.WaitGroup
	next := func() bool {
		mu.Lock()
		defer mu.Unlock()
		n--
		return n >= 0 && refused == 0
	}
	for range 16 {
		opening.Go(func() {
			for next() {
				conn, err := keepOne(address)
				mu.Lock()
				if err != nil {
					refused++
				} else {
					kept = append(kept, conn)
				}
				mu.Unlock()
			}
		})
	}
	opening.Wait()
	return kept
}

func keepOne(address string) (net.Conn, error) {
	const patience = time.Second
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err = conn.Write([]byte("GET /signal/health HTTP/1.1\r\nHost: node\r\n\r\n")); err == nil {
		_, err = bufio.NewReaderSize(conn, 512).ReadString('\n')
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}
