package faults_test

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// peer is a TCP server that treats each connection as a function tells it to. It sends what no correct server sends.
type peer struct {
	net.Listener
	running sync.WaitGroup

	mu     sync.Mutex
	serve  func(net.Conn)
	conns  map[net.Conn]struct{}
	closed bool
}

// newPeer returns a peer that listens on an address of TCP, "" for a free port of 127.0.0.1. With a configuration it
// serves TLS. It is healthy at first, and ends with the test.
func newPeer(t *testing.T, address string, config *tls.Config) *peer {
	t.Helper()
	l, err := net.Listen("tcp", cmp.Or(address, "127.0.0.1:0"))
	testbed.Must(t, err)
	p := &peer{Listener: l, serve: healthy, conns: map[net.Conn]struct{}{}}
	p.running.Go(func() { p.accept(config) })
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.set(nil)
		p.running.Wait()
	})
	return p
}

func (p *peer) accept(config *tls.Config) {
	for {
		conn, err := p.Accept()
		if err != nil {
			return
		}
		if config != nil {
			conn = tls.Server(conn, config)
		}
		p.mu.Lock()
		serve := p.serve
		if p.closed {
			serve = func(net.Conn) {}
		}
		p.conns[conn] = struct{}{}
		p.mu.Unlock()
		p.running.Go(func() {
			serve(conn)
			_ = conn.Close()
			p.mu.Lock()
			delete(p.conns, conn)
			p.mu.Unlock()
		})
	}
}

// set changes how connections are treated, and closes those that are open.
func (p *peer) set(serve func(net.Conn)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serve = serve
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// origin returns the peer's address as a URL with the scheme http.
func (p *peer) origin() string { return "http://" + p.Addr().String() }

// healthy replies to every request as a healthy prosody does.
func healthy(conn net.Conn) { replying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")(conn) }

// requested reads a request. It returns false at the end of the connection.
func requested(from *bufio.Reader) bool {
	r, err := http.ReadRequest(from)
	if err != nil {
		return false
	}
	_ = r.Body.Close()
	return true
}

// replying returns a treatment that replies to every request with a text.
func replying(text string) func(net.Conn) {
	return func(conn net.Conn) {
		for from := bufio.NewReader(conn); requested(from); {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
	}
}

// closing returns a treatment that replies to one request with a text and closes the connection.
func closing(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if requested(bufio.NewReader(conn)) {
			_, _ = io.WriteString(conn, text)
		}
	}
}

// endless returns a treatment that replies with a text, and then with another one without end.
func endless(text, again string) func(net.Conn) {
	return func(conn net.Conn) {
		if !requested(bufio.NewReader(conn)) {
			return
		}
		for next := text; ; next = again {
			if _, err := io.WriteString(conn, next); err != nil {
				return
			}
		}
	}
}

// hanging returns a treatment that replies with a text and then leaves the connection open.
func hanging(text string) func(net.Conn) {
	return func(conn net.Conn) {
		from := bufio.NewReader(conn)
		if requested(from) {
			_, _ = io.WriteString(conn, text)
			_, _ = io.Copy(io.Discard, from)
		}
	}
}

// resetting returns a treatment that replies with a text and then resets the connection.
func resetting(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if text != "" {
			closing(text)(conn)
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
}
