// Package systemd reports the state of the sidecar to systemd as sd_notify(3) describes, feeds its watchdog, and takes
// the sockets that systemd passes (sd_listen_fds(3)).
package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	// sendTimeout bounds the sending of one message; systemd may not read.
	sendTimeout = 200 * time.Millisecond
	// retryInterval is the time until the watchdog is fed again after it was not.
	retryInterval = time.Second
)

// Options are what a Notifier needs.
type Options struct {
	// StartTimeout is the longest time until the first verdict.
	StartTimeout time.Duration
	// Current returns the snapshot in force.
	Current func() *health.Snapshot
	// Stalled returns an error that names what makes no progress at the given time, or nil.
	Stalled func(now time.Time) error
	Logger  *slog.Logger
}

// Notifier sends to systemd: READY at the first verdict, each verdict as the status, the watchdog's messages while no
// part is stuck, and STOPPING at the end.
type Notifier struct {
	Options
	socket   string        // a path, or @ and an abstract name
	watchdog time.Duration // systemd ends a process that does not feed it for this time; 0 without a watchdog

	status string // what was sent last, "" for nothing yet
	ready  bool   // READY was sent
	failed bool   // the last message could not be sent, and this was logged
	unfed  bool   // the watchdog was not fed, and this was logged
}

// New returns nil without NOTIFY_SOCKET. A bad WATCHDOG_USEC is logged, and means no watchdog.
func New(o Options) *Notifier {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return nil
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		o.Logger.Warn("watchdog is not fed", "error", err)
	}
	return &Notifier{Options: o, socket: socket, watchdog: watchdog}
}

// Run sends until ctx ends. It always returns nil: a message that cannot be sent is logged.
func (n *Notifier) Run(ctx context.Context) error {
	// Without this systemd would end a start that takes longer than TimeoutStartSec, although PROBE_TIMEOUT allows it.
	n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d\nSTATUS=waiting for the first verdict", n.StartTimeout.Microseconds()))
	feed := time.NewTimer(n.watchdog / 2)
	defer feed.Stop()
	if n.watchdog == 0 {
		feed.Stop()
	}
	for ctx.Err() == nil {
		snapshot := n.Current()
		n.sendVerdict(snapshot.Verdict)
		select {
		case <-ctx.Done():
		case <-snapshot.Superseded():
		case <-feed.C:
			feed.Reset(n.feed(ctx))
		}
	}
	n.send(daemon.SdNotifyStopping + "\nSTATUS=stopping")
	return nil
}

// sendVerdict sends a verdict that differs from the last one sent, in the words of the agent reply.
func (n *Notifier) sendVerdict(v health.Verdict) {
	status := "STATUS=" + v.DescribedLine()
	if !v.Known || n.ready && status == n.status {
		return
	}
	message := status
	if !n.ready {
		message = daemon.SdNotifyReady + "\n" + status
	}
	if n.send(message) {
		n.status, n.ready = status, true
	}
}

// feed feeds the watchdog unless a part makes no progress, and returns the time until the next feeding.
func (n *Notifier) feed(ctx context.Context) time.Duration {
	next := n.watchdog / 2
	retry := min(retryInterval, next)
	if err := n.Stalled(time.Now()); err != nil {
		if !n.unfed {
			n.Logger.ErrorContext(ctx, "watchdog not fed: a part is stuck", "error", err, "watchdog", n.watchdog.String())
		}
		n.unfed = true
		return retry
	}
	if n.unfed {
		n.Logger.InfoContext(ctx, "watchdog fed again: no part is stuck any more")
		n.unfed = false
	}
	if !n.send(daemon.SdNotifyWatchdog) {
		return retry
	}
	return next
}

// send sends a message and returns whether that worked. The first of several failures in a row is logged.
func (n *Notifier) send(message string) bool {
	err := n.write(message)
	if err != nil && !n.failed {
		n.Logger.Warn("message to systemd not sent", "socket", n.socket,
			"notification", strings.ReplaceAll(message, "\n", " "), "error", err)
	}
	n.failed = err != nil
	return err == nil
}

// write does what daemon.SdNotify does, with a time limit: SdNotify blocks while systemd does not read.
func (n *Notifier) write(message string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetWriteDeadline(time.Now().Add(sendTimeout)) // fails on closed connections only
	_, err = conn.Write([]byte(message))
	return err
}
