package e2e

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

var ports = struct {
	sync.Mutex
	taken map[int]bool
}{taken: map[int]bool{}}

// freeAddress returns an address of 127.0.0.1 whose port stays free while nobody listens: it lies below the range from
// which systems choose ports for connections.
func freeAddress(t *testing.T) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 100 {
		port := 10000 + rand.IntN(9000)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		_ = l.Close()
		if !ports.taken[port] {
			ports.taken[port] = true
			return address
		}
	}
	t.Fatal("no free port to be had")
	return ""
}

// listen opens a port for the length of the test at most.
func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	testbed.Must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}
