package rest

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
)

const (
	// limitLogTime is the least time between two log lines of a listener about its limit.
	limitLogTime = time.Minute
	// turn is the least time that a connection keeps its place while all are in use: without a request, so that a new
	// client can send one, or with a request. A client that does not read its replies, or does not send the body that it
	// announced, keeps its place no longer.
	turn = 200 * time.Millisecond
	// minFlood is the least number of requests of a connection that is closed because it sends requests fast.
	minFlood = 5
	// waitTick is the time between two looks for a place.
	waitTick = 10 * time.Millisecond
)

// limiter bounds the open connections of a listener. When all are in use, a new connection replaces the one that has
// been without a request for the longest time, so that idle clients never keep others out. If there is none, it takes
// the place of the one whose request has been in progress for the longest time and longer than turn, or else of the one
// that sends requests fastest (see floods): a client that always has the next request ready is never idle.
type limiter struct {
	net.Listener
	limit   int
	turn    time.Duration // tests change it
	log     *slog.Logger
	evicted metric.Int64Counter
	freed   chan struct{} // holds a token when a connection was closed
	done    chan struct{} // closed with the listener
	close   sync.Once

	mu     sync.Mutex
	open   int
	fresh  int                  // connections without a request until now
	idle   list.List            // of *limitedConn without a request that is handled, the longest idle first
	active list.List            // of *limitedConn with a request that is handled, the longest first
	logged map[string]time.Time // the latest log line of each kind
}

func newLimiter(l net.Listener, limit int, log *slog.Logger, evicted metric.Int64Counter) *limiter {
	return &limiter{
		Listener: l, limit: limit, turn: turn, log: log.With("address", l.Addr().String(), "limit", limit),
		evicted: evicted, freed: make(chan struct{}, 1), done: make(chan struct{}), logged: map[string]time.Time{},
	}
}

// newEvicted returns the counter of connections that were closed to make place.
func newEvicted(provider metric.MeterProvider) (metric.Int64Counter, error) {
	evicted, err := provider.Meter(meterName).Int64Counter("signal.http.evicted", metric.WithUnit("{connection}"),
		metric.WithDescription("Number of HTTP connections that were closed for a new one, because as many were open as are "+
			"allowed: idle ones, or, if there were none, one whose request took longest or that sent requests fastest."))
	if err != nil {
		return nil, fmt.Errorf("create the instrument of HTTP connections: %w", err)
	}
	evicted.Add(context.Background(), 0)
	return evicted, nil
}

// Accept implements net.Listener.
func (l *limiter) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		if !errors.Is(err, net.ErrClosed) { // net/http tries again with back-off
			if l.due("error") {
				l.log.Warn("HTTP connections are not accepted", "error", err.Error())
			}
		}
		return nil, err
	}
	if err := l.wait(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	c := &limitedConn{Conn: conn, of: l, accepted: time.Now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	c.enter(&l.idle)
	c.fresh = true
	l.fresh++
	return c, nil
}

// wait waits for a place for a connection and takes it. It returns net.ErrClosed if the listener is closed before.
func (l *limiter) wait() error {
	for !l.take() {
		select {
		case <-l.freed:
		case <-time.After(waitTick):
		case <-l.done:
			return net.ErrClosed
		}
	}
	return nil
}

// take takes a place for a connection, if need be that of another one. It returns false if there is none.
func (l *limiter) take() bool {
	l.mu.Lock()
	if l.open < l.limit {
		l.open++
		l.mu.Unlock()
		return true
	}
	replaced := l.replaceable(time.Now())
	allBusy := l.idle.Len() == 0
	l.mu.Unlock()
	if allBusy && l.due("waiting") {
		l.log.Warn("HTTP connections wait: all are in use and have a request in progress")
	}
	if replaced == nil {
		return false
	}
	replaced.leave()
	go replaced.Conn.Close() //nolint:errcheck // it waits for the end of a write that is stuck
	l.evicted.Add(context.Background(), 1)
	if l.due("evicted") {
		l.log.Warn("HTTP connections are at their limit: the longest idle or busy ones are closed")
	}
	return l.take()
}

// replaceable returns the connection that makes place for another one. It returns nil while the turns of all last. The
// caller holds mu.
func (l *limiter) replaceable(now time.Time) (chosen *limitedConn) {
	for _, all := range []*list.List{&l.idle, &l.active} {
		if first := all.Front(); first != nil && now.Sub(first.Value.(*limitedConn).since) >= l.turn {
			return first.Value.(*limitedConn)
		}
	}
	for _, all := range []*list.List{&l.idle, &l.active} {
		for e := all.Front(); e != nil; e = e.Next() {
			c := e.Value.(*limitedConn)
			if c.floods(now) && (chosen == nil || c.rate(now) > chosen.rate(now)) {
				chosen = c
			}
		}
	}
	return chosen
}

// Close implements net.Listener. It ends an Accept that waits.
func (l *limiter) Close() error {
	l.close.Do(func() { close(l.done) })
	return l.Listener.Close()
}

func (l *limiter) free() {
	select {
	case l.freed <- struct{}{}:
	default:
	}
}

// awaitsRequests reports whether a connection has not sent a request yet.
func (l *limiter) awaitsRequests() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fresh > 0
}

// due reports whether a log line of a kind is due: at most one a minute.
func (l *limiter) due(kind string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if last, before := l.logged[kind]; before && now.Sub(last) < limitLogTime {
		return false
	}
	l.logged[kind] = now
	return true
}

// limitedConn is a connection that counts.
type limitedConn struct {
	net.Conn
	of       *limiter
	accepted time.Time
	// Guarded by of.mu:
	in       *list.List // of.idle or of.active; nil after Close
	place    *list.Element
	since    time.Time // when it came into the list
	fresh    bool      // without a request until now
	requests int       // since accepted
}

// rate returns the number of requests a second. The caller holds of.mu.
func (c *limitedConn) rate(now time.Time) float64 {
	return float64(c.requests) / now.Sub(c.accepted).Seconds()
}

// floods reports whether the connection has sent so many requests since it was accepted that it cannot be without one
// for a turn. The caller holds of.mu.
func (c *limitedConn) floods(now time.Time) bool {
	age := now.Sub(c.accepted)
	return age >= c.of.turn && c.requests >= minFlood && c.rate(now) >= 1/c.of.turn.Seconds()
}

// Read implements net.Conn. It lets everything else run that can run, for the same reason as trackConnections: HTTP/2
// frames that are no requests, such as PING, cost processor time too.
func (c *limitedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	runtime.Gosched()
	return n, err
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// leave gives the place of the connection to others.
func (c *limitedConn) leave() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.in != nil {
		c.in.Remove(c.place)
		c.in = nil
		c.begin()
		c.of.open--
		c.of.free()
	}
}

// enter moves the connection to a list of open connections. The caller holds of.mu.
func (c *limitedConn) enter(to *list.List) {
	if c.in != nil {
		c.in.Remove(c.place)
	}
	c.in, c.place, c.since = to, to.PushBack(c), time.Now()
}

// begin records that the connection is not fresh any more. The caller holds of.mu.
func (c *limitedConn) begin() {
	if c.fresh {
		c.fresh = false
		c.of.fresh--
	}
}

// busy records that a request is handled. Over HTTP/2 others may be handled already.
func (c *limitedConn) busy() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.requests++
	if c.in == &c.of.idle {
		c.enter(&c.of.active)
		c.begin()
	}
}

// rest records that the reply has been sent. The connection is idle until the next request has been read.
func (c *limitedConn) rest() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.in != nil {
		c.enter(&c.of.idle)
	}
}

// limitedOf returns the counted connection below a connection, such as one with TLS, or nil.
func limitedOf(conn net.Conn) *limitedConn {
	for {
		switch c := conn.(type) {
		case *limitedConn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

type connectionKey struct{}

// trackConnections makes a server record which of its connections handle a request. Bodies of requests are not waited
// for, because no route reads one.
func trackConnections(s *http.Server) {
	handler := s.Handler
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, limitedOf(conn))
	}
	s.ConnState = func(conn net.Conn, state http.ConnState) {
		if c := limitedOf(conn); c != nil && state == http.StateIdle {
			c.rest()
			// A client that does not wait for replies always has a request ready. Its goroutine would run for 10 ms at a time,
			// and a thousand of them would delay every other request, agent check and probe by seconds.
			runtime.Gosched()
		}
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connectionKey{}).(*limitedConn); ok && c != nil {
			c.busy()
		}
		if r.ContentLength != 0 && r.ProtoMajor == 1 { // net/http would read what is left of the body before the reply
			w.Header().Set("Connection", "close")
			_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		}
		handler.ServeHTTP(w, r)
	})
}
