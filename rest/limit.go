package rest

import (
	"net"
	"sync"
)

// limitListeners returns listeners that together have at most n connections open. Unlike netutil.LimitListener, which
// takes a place before it accepts, a listener takes one after it: else the idle listener would hold a place that the busy
// one needs. So each listener may have one connection more that waits to be served.
func limitListeners(all []net.Listener, n int) []net.Listener {
	places := make(chan struct{}, n)
	limited := make([]net.Listener, len(all))
	for i, l := range all {
		limited[i] = &limitedListener{Listener: l, places: places, closed: make(chan struct{})}
	}
	return limited
}

type limitedListener struct {
	net.Listener
	places chan struct{} // shared; one element for each open connection
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case l.places <- struct{}{}:
		return &limitedConn{Conn: conn, release: sync.OnceFunc(func() { <-l.places })}, nil
	case <-l.closed:
		_ = conn.Close() // it was never served
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
