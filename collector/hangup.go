package collector

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"sync"
	"time"
)

// dialer opens a connection, as net.Dialer.DialContext does.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// hangups tells a collector when its service hangs up on a connection that a probe keeps for the next poll. It costs no
// goroutine: net/http reads from the connections that it keeps, and that read ends when the peer's FIN or RST comes.
//
// A server also hangs up on connections that were idle for too long. That is a false alarm, from which its patience is
// learned; both connections of jicofo are idle at the same server, so the patience is one for a collector.
type hangups struct {
	alarm chan struct{} // wakes the collector, which then asks pending; capacity 1

	mu       sync.Mutex
	patience patience
	lines    []*line
}

func newHangups() *hangups { return &hangups{alarm: make(chan struct{}, 1)} }

// pending reports whether a service hung up and was not asked since.
func (h *hangups) pending() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lines {
		if l.hungUp {
			return true
		}
	}
	return false
}

// line is what hangups knows of the connections of one probe. Its mutex is theirs all.
type line struct {
	*hangups
	asks uint64    // how often the probe asked, the ask that is under way included
	conn *keptConn // what the latest request went over
	code int       // of the latest ask, 0 without a complete answer

	hungUp    bool     // since the latest ask began
	suspected patience // what the hang-up would say of the server, if it turned out to be a false alarm
	checked   patience // the same of the hang-up before the ask that is under way
}

func (h *hangups) newLine() *line {
	l := &line{hangups: h}
	h.lines = append(h.lines, l)
	return l
}

// begin begins an ask; the requests of the context that it returns are its own. What became of older connections does
// not matter from here on: the answer will tell.
func (l *line) begin(ctx context.Context) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asks++
	l.hungUp = false
	l.checked, l.suspected = l.suspected, patience{}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:     func(info httptrace.GotConnInfo) { l.take(info.Conn) },
		PutIdleConn: l.rest,
	})
}

// end ends an ask. The hang-up before it was a false alarm if the same answer came as before.
func (l *line) end(code int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.checked.known && code != 0 && code == l.code {
		l.patience = l.checked
		l.hungUp = l.hungUp && !l.patience.explains(l.suspected.idle) // of a server that hangs up before its answer is read
	}
	l.code = code
}

// watched makes a dialer's connections tell when the peer hangs up on them.
func (l *line) watched(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &keptConn{Conn: conn, line: l}, nil
	}
}

// take notes that a request goes over the connection.
func (l *line) take(conn net.Conn) {
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := conn.(*keptConn)
	l.conn = c
	if ok && !c.rested.IsZero() {
		c.slept, c.rested = time.Since(c.rested), time.Time{}
	}
}

// rest notes that the connection of the latest request is kept for the next. net/http calls it before it reads on, so
// that no hang-up can come before; and not at all when either side does not want the connection to be kept.
func (l *line) rest(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || l.conn == nil {
		return
	}
	c := l.conn
	if l.patience.outlived(c.slept) {
		l.patience = patience{}
	}
	c.rested, c.slept, c.ended, c.ask = time.Now(), 0, false, l.asks
}

// keptConn is a connection that tells when the peer hangs up on it while it is kept.
type keptConn struct {
	net.Conn
	line *line

	// These are the line's to guard.
	rested time.Time     // since when it has been idle, zero while it is not
	slept  time.Duration // for how long it was, before the request that is under way
	ended  bool          // while it was idle its end came, or something that nobody asked for
	ask    uint64        // the latest that used it
}

// Read implements net.Conn.
func (c *keptConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	c.ended = c.ended || !c.rested.IsZero()
	return n, err
}

// Close implements net.Conn. net/http calls it when a read of an idle connection ends, also when that read was TLS's
// close_notify or HTTP's 408; it then hands the connection to nobody any more. A Close without such a read is our own.
func (c *keptConn) Close() error {
	c.line.closed(c)
	return c.Conn.Close()
}

func (l *line) closed(c *keptConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.rested.IsZero() {
		return
	}
	idle := time.Since(c.rested)
	c.rested = time.Time{}
	if !c.ended || c.ask != l.asks || l.patience.explains(idle) {
		return
	}
	l.hungUp, l.suspected = true, patience{known: true, idle: idle}
	select {
	case l.alarm <- struct{}{}:
	default:
	}
}
