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
	// maxConnectionAge is the longest time for which a connection is reused. After it a new one is opened, which
	// resolves the host name again: the service may have moved to another address.
	maxConnectionAge = time.Minute
	// minIdle is the shortest time for which an idle connection is kept.
	minIdle = 90 * time.Second
)

// dialer opens a connection, as net.Dialer.DialContext does.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// hangups holds a token when the service has closed a connection that a probe kept for its next request, or when there
// is no kept connection that would show the end of the service. The collector that receives the token polls at once.
// This needs no goroutine: net/http reads from the connections that it keeps, and that read ends when the FIN or RST of
// the peer arrives.
//
// Services also close connections after an idle timeout. The poll that follows then finds no change.
type hangups chan struct{}

func newHangups() hangups { return make(hangups, 1) }

// report adds a token if there is none.
func (h hangups) report() {
	select {
	case h <- struct{}{}:
	default:
	}
}

// forget removes the token, because the service is about to be probed anyway.
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
	oldest  atomic.Pointer[time.Time] // when the oldest connection that may be kept was opened; nil for none
	current atomic.Pointer[keptConn]  // the connection of the latest request
}

func newConnections(o Options, h hangups) *connections {
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: o.Timeout}).DialContext // net/http continues to dial after the probe has given up
	}
	c := &connections{hangups: h}
	c.Transport = &http.Transport{
		Proxy:                  nil, // the node is probed directly, even if the environment configures a proxy
		DialContext:            c.watched(dial),
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs},
		TLSHandshakeTimeout:    o.Timeout,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        max(minIdle, 2*o.Interval), // each poll uses it, unless redirected to another address
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return c
}

// watched returns a dialer whose connections report when the peer closes them while they are idle.
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

// renew closes the kept connections when the oldest has reached maxConnectionAge.
func (c *connections) renew() {
	if opened := c.oldest.Load(); opened != nil && time.Since(*opened) >= maxConnectionAge {
		c.close()
	}
}

// replied is called after a complete reply. net/http has then put the connection of the request back, except in three
// cases: the reply announced its end; the goroutine that wrote the request got no CPU time for 50 ms; or another
// connection was there first, which no request has used because its dial outlasted an earlier request. In the last two
// cases no connection would report a hang-up, so the service is polled again at once.
func (c *connections) replied(res *http.Response) {
	if kept := c.current.Load(); !res.Close && kept != nil && !kept.idle.Load() {
		c.hangups.report()
	}
}

// trace returns a context whose requests record when their connection is in use and when it is idle.
func (c *connections) trace(ctx context.Context) context.Context {
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
			c.current.Store(kept)
		},
		// net/http calls it before it reads again, so the connection cannot end before. It calls it with an error, or
		// not at all, if either side does not want the connection to be kept.
		PutIdleConn: func(err error) {
			if kept := c.current.Load(); kept != nil && err == nil {
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
	ended   atomic.Bool // while idle, a read returned: the peer closed the connection or sent unexpected data
}

// Read implements net.Conn.
func (c *keptConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.idle.Load() {
		c.ended.Store(true)
	}
	return n, err
}

// Close implements net.Conn. net/http calls it when a read of an idle connection ends, also if that read returned a TLS
// close_notify or an HTTP 408. A Close without such a read before it was started by this process.
func (c *keptConn) Close() error {
	if c.idle.Swap(false) && c.ended.Load() {
		c.hangups.report()
	}
	return c.Conn.Close()
}
