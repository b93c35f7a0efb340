package testbed

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// lasting holds the ports that LastingPort has returned.
var lasting = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// LastingPort returns a free port of 127.0.0.1 that stays free while no process listens on it. It lies below the ranges
// from which systems and package signalnode choose ports.
func LastingPort(t testing.TB) string {
	t.Helper()
	lasting.Lock()
	defer lasting.Unlock()
	for range 100 {
		port := 10000 + rand.IntN(9000) //nolint:gosec // no secret
		if lasting.ports[port] {        // it must not be tried: its owner may be about to listen
			continue
		}
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		_ = l.Close()
		lasting.ports[port] = true
		return strconv.Itoa(port)
	}
	t.Fatal("no free port to be had")
	return ""
}

// LastingAddress returns an address of 127.0.0.1 with such a port.
func LastingAddress(t testing.TB) string {
	t.Helper()
	return "127.0.0.1:" + LastingPort(t)
}
