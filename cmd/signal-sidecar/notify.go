package main

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
	// notifyTime bounds a message to the service manager, which may not read.
	notifyTime = 200 * time.Millisecond
	// startSlack is what the first verdict may take beyond PROBE_TIMEOUT.
	startSlack = 10 * time.Second
	// checkAgain is how soon a feeding that was left out or failed is tried again.
	checkAgain = time.Second
)

// notifier tells systemd how the sidecar does (sd_notify(3)): that it has started, once there is a verdict; what the
// verdict is; that it works on, by feeding the watchdog while no part is overdue; and that it stops.
type notifier struct {
	socket   string        // a path, or @ and an abstract name
	watchdog time.Duration // systemd ends a process that does not feed for so long; 0 without a watchdog
	startup  time.Duration // what the first verdict may take
	current  func() *health.Snapshot
	stuck    []func(now time.Time) error // of each part that can be stuck; the error says with what
	log      *slog.Logger

	told  string // the state that was told last, "" for none yet
	ready bool   // that was told
	deaf  bool   // the manager could not be told; this was logged
	late  bool   // a part was stuck at the latest feeding
	unfed bool   // it still was at the next one; this was logged
}

// newNotifier returns nil when no service manager wants to be told.
func newNotifier(c config, s *sidecar) *notifier {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return nil
	}
	n := &notifier{socket: socket, startup: c.timeout + startSlack, current: s.monitor.Current, log: s.log}
	n.stuck = append(n.stuck, s.monitor.Overdue)
	for _, part := range s.collectors {
		n.stuck = append(n.stuck, part.Stuck)
	}
	var err error
	if n.watchdog, err = daemon.SdWatchdogEnabled(false); err != nil {
		s.log.Warn("watchdog is not fed", "error", err)
	}
	return n
}

// Run tells until ctx ends. It returns nil: what cannot be told is no reason to end.
func (n *notifier) Run(ctx context.Context) error {
	// It is systemd's to end a start that takes too long, but not one that PROBE_TIMEOUT lets take so long.
	n.tell(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d\nSTATUS=waiting for the first verdict", n.startup.Microseconds()))
	feed := time.NewTimer(n.watchdog / 2)
	defer feed.Stop()
	if n.watchdog == 0 {
		feed.Stop()
	}
	for ctx.Err() == nil {
		snapshot := n.current()
		n.tellVerdict(snapshot.Verdict)
		select {
		case <-ctx.Done():
		case <-snapshot.Superseded():
		case <-feed.C:
			feed.Reset(n.feed(ctx))
		}
	}
	n.tell(daemon.SdNotifyStopping + "\nSTATUS=stopping")
	return nil
}

// tellVerdict tells a verdict that differs from the one told last, in the words that HAProxy is told.
func (n *notifier) tellVerdict(v health.Verdict) {
	state := "STATUS=" + v.DescribedLine()
	if !v.Known || n.ready && state == n.told {
		return
	}
	message := state
	if !n.ready {
		message = daemon.SdNotifyReady + "\n" + state
	}
	if n.tell(message) {
		n.told, n.ready = state, true
	}
}

// feed feeds the watchdog unless a part is stuck, and returns when to do so again. A part counts as stuck when it is so at
// two feedings in a row: after a pause of this process all parts are late for a moment, and it may be high time to feed.
func (n *notifier) feed(ctx context.Context) time.Duration {
	soon := min(checkAgain, n.watchdog/2)
	next := n.watchdog / 2
	if err := n.firstStuck(time.Now()); err != nil {
		if n.late {
			if !n.unfed {
				n.log.ErrorContext(ctx, "watchdog not fed: a part is stuck", "error", err, "watchdog", n.watchdog.String())
			}
			n.unfed = true
			return soon
		}
		n.late, next = true, soon
	} else {
		if n.unfed {
			n.log.InfoContext(ctx, "watchdog fed again: no part is stuck any more")
		}
		n.late, n.unfed = false, false
	}
	if !n.tell(daemon.SdNotifyWatchdog) {
		return soon
	}
	return next
}

func (n *notifier) firstStuck(now time.Time) error {
	for _, stuck := range n.stuck {
		if err := stuck(now); err != nil {
			return err
		}
	}
	return nil
}

// tell sends a message and reports whether that worked; that it does not is logged once.
func (n *notifier) tell(message string) bool {
	err := n.send(message)
	if err != nil && !n.deaf {
		n.log.Warn("service manager cannot be told", "socket", n.socket, "notification", strings.ReplaceAll(message, "\n", " "), "error", err)
	}
	n.deaf = err != nil
	return err == nil
}

// send is daemon.SdNotify with a bound: that waits for ever while the manager does not read.
func (n *notifier) send(message string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetWriteDeadline(time.Now().Add(notifyTime)) // fails on closed connections only
	_, err = conn.Write([]byte(message))
	return err
}
