package collector

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

const (
	// maxConnectionAge is for how long a kept connection is used. A new one is opened after that, which looks the host
	// name up again: the service may have moved to another address.
	maxConnectionAge = time.Minute
	// minIdle is for how long a connection is kept at least.
	minIdle = 90 * time.Second
)

// dialer opens a connection, as net.Dialer.DialContext does.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// hangups holds a token when the service has closed a connection that a probe kept for its next request. The collector
// that receives it polls at once. It costs no goroutine: net/http reads from the connections that it keeps, and that read
// ends when the peer's FIN or RST comes.
//
// Services close connections that were idle for too long as well. The poll that follows then finds that nothing changed.
type hangups chan struct{}

func newHangups() hangups { return make(hangups, 1) }

// report puts a token in, if there is none yet.
func (h hangups) report() {
	select {
	case h <- struct{}{}:
	default:
	}
}

// forget takes the token out: the service is about to be asked anyway.
func (h hangups) forget() {
	select {
	case <-h:
	default:
	}
}

// connections opens the connections of one probe, and keeps one for the next request.
type connections struct {
	*http.Transport
	hangups hangups
	oldest  atomic.Pointer[time.Time] // when the oldest that may be kept was opened; nil for none
}

func newConnections(o Options, h hangups) *connections {
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: o.Timeout}).DialContext // net/http goes on dialing when the probe has given up
	}
	c := &connections{hangups: h}
	c.Transport = &http.Transport{
		Proxy:                  nil, // the node is asked directly, whatever the environment says of proxies
		DialContext:            c.watched(dial),
		TLSHandshakeTimeout:    o.Timeout,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        max(minIdle, 2*o.Interval), // each poll uses it, unless a redirect led elsewhere
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return c
}

// watched makes a dialer's connections report when the peer closes them while they are idle.
func (c *connections) watched(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c.oldest.CompareAndSwap(nil, new(time.Now()))
		return &keptConn{Conn: conn, hangups: c.hangups}, nil
	}
}

// close closes the connections that are kept.
func (c *connections) close() {
	c.oldest.Store(nil)
	c.CloseIdleConnections()
}

// renew closes the connections that are kept if they have been used for long enough.
func (c *connections) renew() {
	if opened := c.oldest.Load(); opened != nil && time.Since(*opened) >= maxConnectionAge {
		c.close()
	}
}

// trace returns a context whose requests note when their connection is in use and when it is idle.
func (c *connections) trace(ctx context.Context) context.Context {
	var current atomic.Pointer[keptConn] // that of the latest request
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			conn := info.Conn
			if encrypted, ok := conn.(*tls.Conn); ok {
				conn = encrypted.NetConn()
			}
			kept, ok := conn.(*keptConn)
			if ok {
				kept.idle.Store(false)
			}
			current.Store(kept)
		},
		// net/http calls it before it reads on, so that no end can come before; and with an error, or not at all, when either
		// side does not want the connection to be kept.
		PutIdleConn: func(err error) {
			if kept := current.Load(); kept != nil && err == nil {
				kept.ended.Store(false)
				kept.idle.Store(true)
			}
		},
	})
}

// keptConn is a connection that reports when the peer closes it while it is idle.
type keptConn struct {
	net.Conn
	hangups hangups
	idle    atomic.Bool
	ended   atomic.Bool // while it was idle its end came, or data that nothing asked for
}

// Read implements net.Conn.
func (c *keptConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.idle.Load() {
		c.ended.Store(true)
	}
	return n, err
}

// Close implements net.Conn. net/http calls it when a read of an idle connection ends, also when that read was TLS's
// close_notify or HTTP's 408. A Close without such a read before it is our own.
func (c *keptConn) Close() error {
	if c.idle.Swap(false) && c.ended.Load() {
		c.hangups.report()
	}
	return c.Conn.Close()
}
