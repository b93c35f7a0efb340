// Package agent replies to HAProxy's agent checks: one line per connection, then the end of the connection
// (docs/haproxy.md; HAProxy Configuration Manual, "agent-check"). If a check gets no reply, HAProxy keeps the state of
// the server. A connection is therefore closed without one while the state of the node is not known.
package agent

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"golang.org/x/sys/unix"

	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	maxWaiting     = 1024 // connections of a port that may wait; at most an eighth of the file descriptors
	verdictWait    = 10 * time.Second
	notReadyHold   = 500 * time.Millisecond // a HAProxy that has just been reloaded starts with every server up
	acceptPause    = 10 * time.Millisecond  // after a failed accept
	lingerTick     = 25 * time.Millisecond  // by then most peers have closed
	lingerTime     = time.Second            // how long a connection stays open after its reply
	shutdownLinger = 50 * time.Millisecond  // the same at shutdown
	lingerBytes    = 1 << 20                // read from the peer in that time, at most
)

// Options is what the agent needs.
type Options struct {
	Listener net.Listener // of TCP; the agent closes it
	Source   interface{ Current() *health.Snapshot }
	// Overdue reports whether the verdict is out of date because a poll is overdue. Connections are then closed without
	// a reply. Nil means never.
	Overdue func(now time.Time) bool
	// Hold makes this the held port: a connection gets its reply when the reply changes, or after this time. With 0
	// every connection gets its reply at once.
	Hold time.Duration
	// Allow lists the networks whose connections get a reply. Other connections are closed. None means all.
	Allow         []netip.Prefix
	OpenFiles     uint64 // limit of the process; 0 if it is not known
	MeterProvider metric.MeterProvider
	Logger        *slog.Logger
	Guard         *guard.Guard // catches a panic of a connection, which is then closed; nil catches none
}

// Agent is one agent-check port. The goroutine that accepts also replies. Only a connection that must wait for its
// reply has its own goroutine.
type Agent struct {
	Options
	// Tests change these times.
	verdictWait time.Duration // how long a connection waits for the first verdict
	freshTime   time.Duration // a reply that changed less than this ago is sent at once on the held port
	lingerTime  time.Duration

	checks     metric.Int64Counter                 // one instrument for both ports
	labels     map[string]metric.MeasurementOption // of checks, by reply
	held       metric.Int64UpDownCounter
	refused    refused
	mu         sync.Mutex
	current    *reply            // guarded by mu
	waiting    chan struct{}     // has an element for each connection that waits for its reply in a goroutine
	replied    chan *net.TCPConn // connections that got their reply from the accepting goroutine, and are not yet closed
	goroutines sync.WaitGroup
}

// reply is the reply since a time.
type reply struct {
	text    []byte // nil before the first verdict
	since   time.Time
	changed chan struct{} // closed when another reply replaces this one
}

// New returns an Agent, which owns the listener.
func New(o Options) (*Agent, error) {
	n := max(2, min(maxWaiting, cmp.Or(o.OpenFiles/8, maxWaiting)))
	a := &Agent{
		Options: o, verdictWait: verdictWait, freshTime: o.Hold, lingerTime: lingerTime,
		current: &reply{changed: make(chan struct{})}, waiting: make(chan struct{}, n), replied: make(chan *net.TCPConn, n/2),
	}
	if err := a.createInstruments(o.MeterProvider.Meter("github.com/signal-sidecar/signal-sidecar/agent")); err != nil {
		return nil, fmt.Errorf("create agent instruments: %w", err)
	}
	return a, nil
}

// createInstruments creates the instruments of the port, and their series with the value 0.
func (a *Agent) createInstruments(meter metric.Meter) (err error) {
	port, heldErr, refusedErr := "agent", error(nil), error(nil)
	a.held = noop.Int64UpDownCounter{}
	if a.Hold > 0 {
		port = "hold"
		a.held, heldErr = meter.Int64UpDownCounter("signal.agent.held",
			metric.WithUnit("{connection}"), metric.WithDescription("Connections that are held now (TCP_HOLD_PORT)."))
		a.held.Add(context.Background(), 0)
	}
	a.checks, err = meter.Int64Counter("signal.agent.checks", metric.WithUnit("{check}"),
		metric.WithDescription("Number of agent checks by port (agent, or hold: TCP_HOLD_PORT) and by reply: up, down, or none "+
			"(no verdict yet, a poll is overdue, or the peer was gone)."))
	a.labels = map[string]metric.MeasurementOption{}
	for _, reply := range []string{"up", "down", "none"} {
		a.labels[reply] = metric.WithAttributes(attribute.String("port", port), attribute.String("reply", reply))
		a.checks.Add(context.Background(), 0, a.labels[reply])
	}
	if len(a.Allow) > 0 {
		refusedErr = a.refused.create(meter, port)
	}
	return errors.Join(err, heldErr, refusedErr)
}

// Run serves connections until ctx ends. Connections that are held then get the current reply; those that wait for the
// first verdict are closed without one. It returns nil, or why the listener failed.
func (a *Agent) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	a.goroutines.Go(func() { a.follow(ctx) })
	a.goroutines.Go(func() { a.closeReplied(ctx) })
	err := a.serve(ctx)
	cancel()
	close(a.replied)
	a.goroutines.Wait()
	return err
}

// serve accepts connections until ctx ends or the listener fails.
func (a *Agent) serve(ctx context.Context) error {
	for failures := 0; ; {
		conn, err := a.Listener.Accept()
		switch {
		case err == nil:
			if failures > 0 {
				a.Logger.InfoContext(ctx, "agent connections are accepted again", "failures", failures)
				failures = 0
			}
			a.handle(ctx, conn.(*net.TCPConn))
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the listener was closed because ctx ended
		case errors.Is(err, net.ErrClosed): // it is never opened again
			return fmt.Errorf("agent listener: %w", err)
		default: // for example because no file descriptor is free
			if failures++; failures == 1 {
				a.Logger.WarnContext(ctx, "agent connections are not accepted", "error", err)
			}
			pause(ctx, acceptPause)
		}
	}
}

// handle refuses a connection, replies to it, or makes it wait.
func (a *Agent) handle(ctx context.Context, conn *net.TCPConn) {
	handled := false
	defer func() {
		if !handled {
			_ = conn.Close()
		}
	}()
	defer a.Guard.Catch(ctx, guard.Handler, "agent")
	if a.allows(conn) {
		a.admit(ctx, conn)
	} else {
		a.refuse(ctx, conn)
	}
	handled = true
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// refresh returns the current snapshot and reply.
func (a *Agent) refresh() (*health.Snapshot, *reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.Source.Current()
	if before := a.current; !bytes.Equal(before.text, s.AgentLine) {
		a.current = &reply{s.AgentLine, time.Now(), make(chan struct{})}
		close(before.changed)
	}
	return s, a.current
}

// follow updates the reply at each change until ctx ends, and then closes the listener.
func (a *Agent) follow(ctx context.Context) {
	defer a.Listener.Close() //nolint:errcheck // the error has no remedy
	for ctx.Err() == nil {
		s, _ := a.refresh()
		select {
		case <-ctx.Done():
		case <-s.Superseded():
		}
	}
}

// admit replies to a connection, or starts a goroutine in which it waits. If too many wait already, the
// connection does not wait. If too many have got their reply and are still open, the oldest of these is closed.
func (a *Agent) admit(ctx context.Context, conn *net.TCPConn) {
	s, current := a.refresh()
	if wait := a.wait(s.Verdict, current.since); wait > 0 {
		select {
		case a.waiting <- struct{}{}:
			a.goroutines.Go(func() { a.hold(ctx, conn, current.changed, wait) })
			return
		default:
		}
	}
	if !a.reply(conn) {
		return
	}
	if len(a.replied) == cap(a.replied) {
		select {
		case oldest := <-a.replied:
			_ = oldest.Close()
		default:
		}
	}
	a.replied <- conn
}

// wait returns how long a new connection may wait for its reply.
func (a *Agent) wait(v health.Verdict, since time.Time) time.Duration {
	switch {
	case !v.Known:
		return a.verdictWait
	case a.Hold == 0 || time.Since(since) < a.freshTime:
		return 0
	case v.Healthy && v.Status == health.StatusReady:
		return a.Hold
	default:
		return min(a.Hold, notReadyHold)
	}
}

// hold replies to a connection when the reply has changed, when the wait is over, or when ctx ends.
func (a *Agent) hold(ctx context.Context, conn *net.TCPConn, changed <-chan struct{}, wait time.Duration) {
	defer func() { <-a.waiting }()
	defer conn.Close() //nolint:errcheck // closed already, unless there was a panic
	defer a.Guard.Catch(ctx, guard.Handler, "agent")
	a.held.Add(ctx, 1)
	select {
	case <-changed:
	case <-time.After(wait):
	case <-ctx.Done():
	}
	a.held.Add(ctx, -1)
	if a.reply(conn) {
		a.linger(ctx, conn)
	}
}

// reply sends the current reply and a FIN. If there is no verdict, the verdict is out of date, or the peer is gone, it
// closes the connection and returns false.
func (a *Agent) reply(conn *net.TCPConn) (sent bool) {
	s, now, result := a.Source.Current(), time.Now(), "none"
	overdue := a.Overdue != nil && a.Overdue(now)
	if sent = s.Verdict.Known && !overdue && send(conn, s.AgentLine) == nil; sent {
		result = map[bool]string{true: "up", false: "down"}[s.Verdict.Healthy]
		_ = conn.SetReadDeadline(now.Add(a.lingerTime))
	} else {
		_ = conn.Close()
	}
	a.checks.Add(context.Background(), 1, a.labels[result])
	return sent
}

// send writes the reply. The socket has room for it, because nothing was written before.
func send(conn *net.TCPConn, reply []byte) (err error) {
	raw, _ := conn.SyscallConn()
	if controlErr := raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), reply, msgMore, nil) }); controlErr != nil {
		return controlErr
	}
	return cmp.Or(err, conn.CloseWrite())
}

// closeReplied lingers on the connections in replied, one after the other. All have the same deadline after their
// reply, so one whose peer does not close delays the others by lingerTime at most.
func (a *Agent) closeReplied(ctx context.Context) {
	for conn := range a.replied {
		if ctx.Err() != nil {
			a.goroutines.Go(func() { a.linger(ctx, conn) })
			continue
		}
		if len(a.replied) == 0 {
			pause(ctx, lingerTick)
		}
		a.linger(ctx, conn)
	}
}

// linger reads what the peer still sends until the peer closes, and then closes the connection. Closing a socket with
// unread data sends a reset, which can make the peer lose the reply.
func (a *Agent) linger(ctx context.Context, conn *net.TCPConn) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now().Add(shutdownLinger)) })
	_, _ = io.CopyN(io.Discard, conn, lingerBytes)
	stop()
	_ = conn.Close()
}
