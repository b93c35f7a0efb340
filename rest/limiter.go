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

// limitLogTime is the least time between two log lines of a listener about its limit.
const limitLogTime = time.Minute

// limiter bounds the open connections of a listener. When all are in use, a new connection replaces the one that has
// been without a request for the longest time, so that idle clients never keep others out. If each of them has a
// request in progress, the new connection waits.
type limiter struct {
	net.Listener
	limit   int
	log     *slog.Logger
	evicted metric.Int64Counter
	freed   chan struct{} // holds a token when a connection was closed or became idle
	done    chan struct{} // closed with the listener
	close   sync.Once

	mu     sync.Mutex
	open   int
	idle   list.List            // of *limitedConn without a request that is handled, the longest idle first
	logged map[string]time.Time // the latest log line of each kind
}

func newLimiter(l net.Listener, limit int, log *slog.Logger, evicted metric.Int64Counter) *limiter {
	return &limiter{
		Listener: l, limit: limit, log: log.With("address", l.Addr().String(), "limit", limit), evicted: evicted,
		freed: make(chan struct{}, 1), done: make(chan struct{}), logged: map[string]time.Time{},
	}
}

// newEvicted returns the counter of connections that were closed to make place.
func newEvicted(provider metric.MeterProvider) (metric.Int64Counter, error) {
	evicted, err := provider.Meter(meterName).Int64Counter("signal.http.evicted", metric.WithUnit("{connection}"),
		metric.WithDescription(
			"Number of idle HTTP connections that were closed for a new one, because as many were open as are allowed."))
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
	for !l.take() {
		if l.due("waiting") {
			l.log.Warn("HTTP connections wait: all are in use and have a request in progress")
		}
		select {
		case <-l.freed:
		case <-l.done:
			_ = conn.Close()
			return nil, net.ErrClosed
		}
	}
	c := &limitedConn{Conn: conn, of: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	c.place = l.idle.PushBack(c)
	return c, nil
}

// take takes a place for a connection, if need be that of the longest idle one. It returns false if there is none.
func (l *limiter) take() bool {
	l.mu.Lock()
	if l.open < l.limit {
		l.open++
		l.mu.Unlock()
		return true
	}
	oldest := l.idle.Front()
	l.mu.Unlock()
	if oldest == nil {
		return false
	}
	_ = oldest.Value.(*limitedConn).Close()
	l.evicted.Add(context.Background(), 1)
	if l.due("evicted") {
		l.log.Warn("HTTP connections are at their limit: the longest idle ones are closed")
	}
	return l.take()
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
	of     *limiter
	place  *list.Element // in of.idle; nil while a request is handled, and after Close. Guarded by of.mu.
	closed bool          // guarded by of.mu
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.of.mu.Lock()
	if !c.closed {
		c.closed = true
		c.of.open--
		c.leaveIdle()
		c.of.free()
	}
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// leaveIdle removes the connection from the idle ones. The caller holds of.mu.
func (c *limitedConn) leaveIdle() {
	if c.place != nil {
		c.of.idle.Remove(c.place)
		c.place = nil
	}
}

// busy records that a request is handled: the connection cannot be closed for another one.
func (c *limitedConn) busy() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.leaveIdle()
}

// rest records that the reply has been sent. The connection is idle until the next request has been read.
func (c *limitedConn) rest() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.leaveIdle()
	if !c.closed {
		c.place = c.of.idle.PushBack(c)
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

// trackConnections makes a server record which of its connections handle a request.
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
		handler.ServeHTTP(w, r)
	})
}
