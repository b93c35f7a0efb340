// Package agent answers HAProxy's agent-check: one line per connection, then the end of it (spec sections 4 and 9;
// HAProxy Configuration Manual, "agent-check"). HAProxy takes silence for "no news" and keeps the server's state, so the
// agent rather says nothing than something that is not known to be true.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"time"

	"go.opentelemetry.io/otel/metric"
	"golang.org/x/sys/unix"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	// verdictWait bounds how long a connection waits for the first verdict.
	verdictWait = 10 * time.Second
	// notReadyHold bounds how long a connection is held while the line is not "up ready".
	notReadyHold = 500 * time.Millisecond
	// maxWaiting bounds the connections that wait on a port, together with an eighth of the file descriptors that the
	// process may have.
	maxWaiting = 1024
	// maxAnswered bounds the answered connections that the accepting thread keeps open: enough for a burst of checkers,
	// and few enough to stay in the processor's cache.
	maxAnswered = 64
	// acceptPause is the pause after a failed accept, such as for want of file descriptors.
	acceptPause = 10 * time.Millisecond
)

// Source is where the agent reads the verdict; *health.Monitor is one.
type Source interface{ Current() *health.Snapshot }

// Options is what the agent needs.
type Options struct {
	// Listener is one of Listen: the agent works on its socket.
	Listener net.Listener
	Source   Source
	// Hold makes it the held agent port: how long a connection is held while the line stays the same. 0 answers at once.
	Hold time.Duration
	// OpenFiles is how many files and sockets the process may have open, 0 if that is not known.
	OpenFiles     uint64
	MeterProvider metric.MeterProvider
	Logger        *slog.Logger
}

// places is how many connections may wait.
func (o Options) places() int {
	if o.OpenFiles == 0 {
		return maxWaiting
	}
	return int(max(1, min(maxWaiting, o.OpenFiles/8)))
}

// Agent is one agent-check port.
type Agent struct {
	Options
	tcp      *net.TCPListener
	room     *waitingRoom
	answered lingering // belongs to the goroutine of Run
	checks   checks

	accept   func(*listener) (int, error)
	failures int // of accept, in a row
}

// New returns an Agent that owns the listener. It fails when that is none of Listen.
func New(o Options) (*Agent, error) {
	tcp, err := plainTCP(o.Listener)
	if err != nil {
		return nil, fmt.Errorf("agent listener on %s: %w", o.Listener.Addr(), err)
	}
	a := &Agent{Options: o, tcp: tcp, accept: (*listener).accept}
	a.answered = newLingering(maxAnswered)
	a.room = newWaitingRoom(o, &a.checks)
	if err := a.checks.register(o.MeterProvider, o.Hold > 0, a.room); err != nil {
		return nil, fmt.Errorf("create agent instruments: %w", err)
	}
	return a, nil
}

// Run answers connections until ctx ends. Those that are held then get the current line; those that wait for the first
// verdict are closed without a word. It returns nil, or why the listener failed.
//
// One goroutine with a thread of its own does all the work of a check: it sleeps in accept, not in the runtime's poller,
// and so neither a goroutine nor the poller has to be woken for a connection.
func (a *Agent) Run(ctx context.Context) error {
	l, err := newListener(a.tcp)
	if err != nil {
		return fmt.Errorf("agent listener: %w", err)
	}
	defer l.close()
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		l.wake()
	})
	defer func() {
		if !stop() {
			<-woken
		}
	}()
	roomEnded := make(chan struct{})
	go func() {
		defer close(roomEnded)
		a.room.run()
	}()
	defer func() {
		a.answered.closeAll()
		close(a.room.arrivals)
		<-roomEnded
	}()

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		if err := a.turn(ctx, l); err != nil {
			return fmt.Errorf("agent listener: %w", err)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// turn serves one connection, or lets the time pass until an answered one is to be looked after. The error is one after
// which nothing can be accepted any more.
func (a *Agent) turn(ctx context.Context, l *listener) error {
	if err := l.limitWait(a.answered.pause()); err != nil {
		return err
	}
	fd, err := a.accept(l)
	now := time.Now()
	if err == nil {
		a.acceptedAgain(ctx)
		a.serve(fd, now)
	} else if err = a.notAccepted(ctx, err); err != nil {
		return err
	}
	a.answered.tend(now)
	return nil
}

// notAccepted makes the best of a failed accept. It returns the error if it is one that stays.
func (a *Agent) notAccepted(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED), ctx.Err() != nil:
		// Nobody is there, or will be served any more.
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EBADF), errors.Is(err, unix.ENOTSOCK):
		return err
	default:
		if a.failures++; a.failures == 1 {
			a.Logger.WarnContext(ctx, "agent connections are not accepted", "error", err)
		}
		a.answered.closeAll() // it may be file descriptors that are wanting
		select {
		case <-ctx.Done():
		case <-time.After(acceptPause):
		}
	}
	return nil //nolint:nilerr // it passes
}

// acceptedAgain ends a row of failures.
func (a *Agent) acceptedAgain(ctx context.Context) {
	if a.failures > 0 {
		a.Logger.InfoContext(ctx, "agent connections are accepted again", "failures", a.failures)
		a.failures = 0
	}
}

// serve answers a connection, or leaves it to the waiting room.
func (a *Agent) serve(fd int, now time.Time) {
	s := a.Source.Current()
	if a.Hold > 0 || !s.Verdict.Known {
		a.room.arrivals <- fd
		return
	}
	if a.checks.answer(fd, s) {
		a.answered.add(fd, now)
	}
}
