package main_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// marked lists the processes whose environment holds the text.
func marked(text string) (pids []string) {
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environments {
		if strings.Contains(testbed.Contents(path), text) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

var lastingPorts = struct {
	sync.Mutex
	taken map[int]bool
}{taken: map[int]bool{}}

// lastingPort returns a free port of 127.0.0.1 that stays free while nobody listens: it lies below the ranges from which
// systems choose ports for connections, and from which package signalnode does.
func lastingPort(t *testing.T) string {
	t.Helper()
	lastingPorts.Lock()
	defer lastingPorts.Unlock()
	for range 100 {
		port := 10000 + rand.IntN(9000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil || lastingPorts.taken[port] {
			continue
		}
		_ = l.Close()
		lastingPorts.taken[port] = true
		return fmt.Sprint(port)
	}
	t.Fatal("no free port to be had")
	return ""
}

// occupy listens on a port for the length of the test, and returns the port.
func occupy(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
