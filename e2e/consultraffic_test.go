package e2e

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// traffic counts what clients send to a Consul and get from it, through a proxy.
type traffic struct {
	origin                          string // of the proxy
	reads, writes, transactions     atomic.Int64
	blocked, connections            atomic.Int64 // now
	sent, received, connectionsEver atomic.Int64 // bytes from and to the clients; all connections so far
	hold                            func(*http.Request)
}

// countTraffic starts the proxy. hold, if it is not nil, is called with each request before it is forwarded.
func countTraffic(t *testing.T, c *consul, hold func(*http.Request)) *traffic {
	t.Helper()
	target, err := url.Parse(c.origin)
	testbed.Must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	transport := &http.Transport{MaxIdleConnsPerHost: 200}
	proxy.Transport = transport
	n := &traffic{hold: hold}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.count(r)
		if r.URL.Query().Has("index") {
			n.blocked.Add(1)
			defer n.blocked.Add(-1)
		}
		if n.hold != nil {
			n.hold(r)
		}
		proxy.ServeHTTP(w, r)
	}))
	server.Listener = countingListener{server.Listener, n}
	server.Start()
	n.origin = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	return n
}

func (n *traffic) count(r *http.Request) {
	switch {
	case r.URL.Path == "/v1/txn":
		n.transactions.Add(1)
	case r.Method == http.MethodGet:
		n.reads.Add(1)
	default:
		n.writes.Add(1)
	}
}

type countingListener struct {
	net.Listener
	n *traffic
}

func (l countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.n.connections.Add(1)
	l.n.connectionsEver.Add(1)
	return &countingConn{Conn: conn, n: l.n}, nil
}

type countingConn struct {
	net.Conn
	n      *traffic
	closed atomic.Bool
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n.sent.Add(int64(n))
	return n, err
}

func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.n.received.Add(int64(n))
	return n, err
}

func (c *countingConn) Close() error {
	if !c.closed.Swap(true) {
		c.n.connections.Add(-1)
	}
	return c.Conn.Close()
}
