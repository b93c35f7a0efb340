package signalnode

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
)

// The lasting ports are below the ranges from which systems choose ports. A process takes them from a part of its own,
// so that processes that run at the same time, such as the tests of two packages, seldom take the same one.
const (
	lowestPort = 20000
	portParts  = 12
	partSize   = 1000
)

// lastingPorts are the ports of this process that belong to a service.
var lastingPorts = struct {
	sync.Mutex
	taken map[int]bool
}{taken: map[int]bool{}}

// listenOnLastingPort listens on a free port that stays free while its service is down. The system would
// give a port that it chose to another socket while the service is down; then connections would not be refused, and
// Recover would fail.
func listenOnLastingPort() (net.Listener, error) {
	lastingPorts.Lock()
	defer lastingPorts.Unlock()
	lowest := lowestPort + os.Getpid()%portParts*partSize
	err := errors.New("all ports for simulated services are taken")
	for range 2 * partSize {
		port := lowest + rand.IntN(partSize)
		if lastingPorts.taken[port] {
			continue
		}
		var l net.Listener
		if l, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err == nil {
			lastingPorts.taken[port] = true
			return l, nil
		}
	}
	return nil, err
}

// releasePort makes the port of an address free for other services.
func releasePort(address string) {
	_, port, _ := net.SplitHostPort(address)
	lastingPorts.Lock()
	defer lastingPorts.Unlock()
	if n, err := strconv.Atoi(port); err == nil {
		delete(lastingPorts.taken, n)
	}
}
