package rest

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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
	// waitTick is the time between two looks for a place.
	waitTick = 10 * time.Millisecond
)

// limiter bounds the open connections of a listener. When all are in use, a new connection replaces the one that has
// been without a request for the longest time, so that idle clients never keep others out. If each of them has a
// request in progress, the new connection waits, and replaces the one whose request has been in progress for the
// longest time and longer than turn.
type limiter struct {
	net.Listener
	limit   int
	turn    time.Duration // tests change it
	log     *slog.Logger
	evicted metric.Int64Counter
	freed   chan struct{} // holds a token when a connection was closed or became idle
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
			"allowed: idle ones, or, if there were none, one whose request took longest."))
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
	c := &limitedConn{Conn: conn, of: l}
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
	longest := l.longest(time.Now())
	allBusy := l.idle.Len() == 0
	l.mu.Unlock()
	if allBusy && l.due("waiting") {
		l.log.Warn("HTTP connections wait: all are in use and have a request in progress")
	}
	if longest == nil {
		return false
	}
	longest.leave()
	go longest.Conn.Close() //nolint:errcheck // it waits for the end of a write that is stuck
	l.evicted.Add(context.Background(), 1)
	if l.due("evicted") {
		l.log.Warn("HTTP connections are at their limit: the longest idle or busy ones are closed")
	}
	return l.take()
}

// longest returns the connection that makes place for another one: the longest idle one, or else the one whose request
// has been in progress for the longest time. It returns nil while their turn lasts. The caller holds mu.
func (l *limiter) longest(now time.Time) *limitedConn {
	for _, all := range []*list.List{&l.idle, &l.active} {
		if first := all.Front(); first != nil && now.Sub(first.Value.(*limitedConn).since) >= l.turn {
			return first.Value.(*limitedConn)
		}
	}
	return nil
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
	of *limiter
	// Guarded by of.mu:
	in    *list.List // of.idle or of.active; nil after Close
	place *list.Element
	since time.Time // when it came into the list
	fresh bool      // without a request until now
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
		c.of.free()
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
