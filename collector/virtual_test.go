package collector

import (
	"context"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// virtual is a network in memory, for tests under virtual time. Connections reach the handler, or are refused without
// one.
type virtual struct {
	server *http.Server // nil when connections are refused
	start  time.Time
	conns  chan net.Conn
	ended  chan struct{}

	mu      sync.Mutex
	serving bool
	dials   []time.Duration // since the start
}

// newVirtual must be called within a bubble. With a nil handler connections are refused.
func newVirtual(t *testing.T, handler http.HandlerFunc) *virtual {
	if handler == nil {
		return &virtual{start: time.Now()}
	}
	return serveVirtual(t, &http.Server{Handler: handler})
}

// serveVirtual is newVirtual for a given server.
func serveVirtual(t *testing.T, server *http.Server) *virtual {
	v := &virtual{server: server, start: time.Now(), conns: make(chan net.Conn), ended: make(chan struct{}), serving: true}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(v)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return v
}

func (v *virtual) dial(ctx context.Context, network, address string) (net.Conn, error) {
	v.mu.Lock()
	v.dials = append(v.dials, time.Since(v.start))
	serving := v.serving
	v.mu.Unlock()
	if err := ctx.Err(); err != nil { // as a real dialer does
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if !serving {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	client, server := net.Pipe()
	select {
	case v.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
	case <-v.ended:
		return nil, net.ErrClosed
	}
}

// hangUp closes the connections that are idle for the server.
func (v *virtual) hangUp() {
	v.server.SetKeepAlivesEnabled(false)
	v.server.SetKeepAlivesEnabled(true)
}

// dialed returns the times at which connections were opened, measured from the start.
func (v *virtual) dialed() []time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]time.Duration(nil), v.dials...)
}

// Accept, Close and Addr make it a net.Listener.
func (v *virtual) Accept() (net.Conn, error) {
	select {
	case c := <-v.conns:
		return c, nil
	case <-v.ended:
		return nil, net.ErrClosed
	}
}

func (v *virtual) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.ended:
	default:
		close(v.ended)
	}
	return nil
}

func (v *virtual) Addr() net.Addr { return &net.UnixAddr{Name: "virtual", Net: "unix"} }

// origin is the origin of the server of a virtual network. Its name is never resolved.
const origin = "http://node.example:8888"

// pause lets virtual time pass in a handler, unless the client goes away.
func pause(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}
