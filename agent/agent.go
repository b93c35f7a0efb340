// Package agent answers HAProxy's agent-check: one line per connection, then the end of it (spec section 4; HAProxy
// Configuration Manual, "agent-check"). HAProxy takes silence for "no news" and keeps the server's state, so the agent
// rather says nothing than something that is not known to be true.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/sys/unix"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	// verdictWait bounds how long a connection waits for the first verdict.
	verdictWait = 10 * time.Second
	// lingerTime and lingerBytes bound what is read, and thrown away, of a peer that was answered: closing earlier
	// could turn what it is still sending into a reset that costs it the answer.
	lingerTime  = time.Second
	lingerBytes = 1 << 20
	// maxGuests bounds the connections that are kept waiting or lingering; further ones are neither.
	maxGuests = 1024
	// acceptPause is the pause after a failed accept, such as for want of file descriptors.
	acceptPause = 10 * time.Millisecond
)

// Source is where the agent reads the verdict; *health.Monitor is one.
type Source interface{ Current() *health.Snapshot }

// Options is what the agent needs.
type Options struct {
	Listener      net.Listener
	Source        Source
	MeterProvider metric.MeterProvider
	Logger        *slog.Logger
}

// Agent is the agent-check listener.
type Agent struct {
	Options
	guests                  chan struct{}
	verdictWait, lingerTime time.Duration

	up, down, silent atomic.Int64 // checks by what was said
}

// New returns an Agent that owns the listener.
func New(o Options) (*Agent, error) {
	a := &Agent{Options: o, guests: make(chan struct{}, maxGuests), verdictWait: verdictWait, lingerTime: lingerTime}
	_, err := o.MeterProvider.Meter("github.com/signal-sidecar/signal-sidecar/agent").Int64ObservableCounter(
		"signal.agent.checks",
		metric.WithDescription("Number of agent checks by what was said: up, down, or none (there was no verdict, or the peer was gone)."),
		metric.WithInt64Callback(a.observeChecks))
	if err != nil {
		return nil, fmt.Errorf("create agent instruments: %w", err)
	}
	return a, nil
}

var (
	saidUp   = metric.WithAttributeSet(attribute.NewSet(attribute.String("reply", "up")))
	saidDown = metric.WithAttributeSet(attribute.NewSet(attribute.String("reply", "down")))
	saidNone = metric.WithAttributeSet(attribute.NewSet(attribute.String("reply", "none")))
)

func (a *Agent) observeChecks(_ context.Context, o metric.Int64Observer) error {
	o.Observe(a.up.Load(), saidUp)
	o.Observe(a.down.Load(), saidDown)
	o.Observe(a.silent.Load(), saidNone)
	return nil
}

// Run answers connections until ctx ends; those that still wait then are closed without a word. It returns nil, or why
// the listener failed.
func (a *Agent) Run(ctx context.Context) error {
	var answers sync.WaitGroup
	defer answers.Wait()
	stop := context.AfterFunc(ctx, func() { _ = a.Listener.Close() })
	defer stop()
	failures := 0 // in a row
	for {
		conn, err := a.Listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("agent listener: %w", err)
		case err != nil:
			if failures++; failures == 1 {
				a.Logger.WarnContext(ctx, "agent connections are not accepted", "error", err)
			}
			pause(ctx, acceptPause)
		default:
			if failures > 0 {
				a.Logger.InfoContext(ctx, "agent connections are accepted again", "failures", failures)
				failures = 0
			}
			answers.Go(func() { a.serve(ctx, conn.(*net.TCPConn)) })
		}
	}
}

// serve answers one connection.
func (a *Agent) serve(ctx context.Context, conn *net.TCPConn) {
	defer conn.Close() //nolint:errcheck // all that matters has been sent
	guest := a.admit()
	if guest {
		defer func() { <-a.guests }()
	}
	s := a.Source.Current()
	if !s.Verdict.Known && guest {
		s = a.firstVerdict(ctx)
	}
	if !s.Verdict.Known || sendAndFinish(conn, s.AgentLine) != nil {
		a.silent.Add(1)
		return
	}
	if s.Verdict.Healthy {
		a.up.Add(1)
	} else {
		a.down.Add(1)
	}
	if guest {
		a.linger(ctx, conn)
	}
}

// admit takes a guest's place if one is free.
func (a *Agent) admit() bool {
	select {
	case a.guests <- struct{}{}:
		return true
	default:
		return false
	}
}

// firstVerdict waits for the first snapshot with a verdict; after verdictWait, or when ctx ends, it returns one without.
func (a *Agent) firstVerdict(ctx context.Context) *health.Snapshot {
	ctx, cancel := context.WithTimeout(ctx, a.verdictWait)
	defer cancel()
	for {
		s := a.Source.Current()
		if s.Verdict.Known {
			return s
		}
		select {
		case <-ctx.Done():
			return s
		case <-s.Superseded():
		}
	}
}

// sendAndFinish sends the line and FIN in one segment: MSG_MORE holds the line back until the shutdown.
func sendAndFinish(conn *net.TCPConn, line []byte) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = raw.Control(func(fd uintptr) {
		// A new connection's send buffer is empty: this does not block.
		_, sendErr = unix.SendmsgN(int(fd), line, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
	})
	if err := errors.Join(err, sendErr); err != nil {
		return err
	}
	return conn.CloseWrite()
}

// linger reads what the peer sends (agent-send) until it has closed its side too.
func (a *Agent) linger(ctx context.Context, conn *net.TCPConn) {
	_ = conn.SetReadDeadline(time.Now().Add(a.lingerTime))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	_, _ = io.CopyN(io.Discard, conn, lingerBytes)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
