package faults_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

const answeredAll = "a checker that asks every 100 ms is always answered in time"

// agentPort are the faults of the clients of the agent's port.
var agentPort = []fault{
	attacked("3,000 connections stay open", answeredAll, func(t *testing.T, s *shard) {
		open(t, s.Agent, idleConnections, func(net.Conn) {})
	}),
	attacked("500 clients send a byte and wait", answeredAll, func(t *testing.T, s *shard) {
		open(t, s.Agent, 500, func(c net.Conn) { _, _ = c.Write([]byte("x")) })
	}),
	attacked("20 clients send 1 MB of garbage", "each of them is answered, "+answeredAll, sendGarbage),
	attacked("500 clients reset their connections", answeredAll, func(t *testing.T, s *shard) {
		for range 500 {
			c := dial(t, s.Agent)
			_ = c.SetLinger(0)
			_ = c.Close()
		}
	}),
	attacked("300 clients close their half of the connection before they read", "each of them is answered, "+answeredAll,
		func(t *testing.T, s *shard) {
			for range 300 {
				c := dial(t, s.Agent)
				_ = c.CloseWrite()
				expectReply(t, c)
			}
		}),
	attacked("500 clients vanish without a FIN", answeredAll, func(t *testing.T, s *shard) {
		for range 500 {
			vanish(t, dial(t, s.Agent))
		}
	}),
	attacked("a port scan connects and closes", answeredAll, func(t *testing.T, s *shard) {
		for range 300 {
			_ = dial(t, s.Agent).Close()
			_ = dial(t, s.HTTP).Close()
		}
	}),
	{
		does: "no file descriptor is free", within: "10 ms after one is free",
		inject: exhaust, undo: relieve,
		want: seen{log: "agent connections are not accepted", also: "connections wait, and are answered when one is free"},
	},
	{
		does: "300 clients keep connections to the held port, and the process may open 128 files", within: throughout,
		tests: []string{"cmd/signal-sidecar TestHeldPortLeavesDescriptors"},
		want:  seen{also: "the ordinary port replies, and a drain is seen"},
	},
	{
		does: "checks wait for the first verdict, and the process may open 160 files", within: throughout,
		tests: []string{"cmd/signal-sidecar TestShareOfDescriptors"},
		want:  seen{also: "an eighth of the files is for waiting checks, half of them for HTTP"},
	},
}

// idleConnections is how many idle connections a test opens. The limit of descriptors of the tests is above it.
const idleConnections = 3000

// dial opens a connection. It is closed at the end of the test.
func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, testbed.Bound)
	testbed.Must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	testbed.Must(t, conn.SetDeadline(time.Now().Add(testbed.Bound)))
	return conn.(*net.TCPConn)
}

// open opens connections, does something with each, keeps them for a second, and closes them.
func open(t *testing.T, address string, n int, use func(net.Conn)) {
	t.Helper()
	crowd.Lock() // two crowds at a time would need too many descriptors
	defer crowd.Unlock()
	all := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range all {
			_ = c.Close()
		}
	}()
	for range n {
		c, err := net.DialTimeout("tcp", address, testbed.Bound)
		if err != nil {
			t.Errorf("after %d connections: %v", len(all), err)
			return
		}
		use(c)
		all = append(all, c)
	}
	<-time.After(time.Second) // the connections stay
}

var crowd sync.Mutex

// expectReply reads the agent's reply.
func expectReply(t *testing.T, from net.Conn) {
	t.Helper()
	if got, err := io.ReadAll(from); err != nil || string(got) != up+"\n" {
		t.Errorf("got %q, %v", got, err)
	}
	_ = from.Close()
}

func sendGarbage(t *testing.T, s *shard) {
	t.Helper()
	garbage := bytes.Repeat([]byte("\x00\xffgarbage\r\n"), 100_000)
	for range 20 {
		c := dial(t, s.Agent)
		go func() { _, _ = c.Write(garbage) }()
		expectReply(t, c)
	}
}
