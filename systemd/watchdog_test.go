package systemd

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWatchdogOfStalledPart checks that the watchdog is not fed while a part makes no progress, and that this is logged
// once.
func TestWatchdogOfStalledPart(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	var log bytes.Buffer
	var found error
	n := &Notifier{socket: socket, watchdog: 30 * time.Second, Options: Options{
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		Stalled: func(time.Time) error { return found },
	}}
	late := errors.New("the last poll of jicofo ended 20s ago")
	for i, tt := range []struct {
		found  error
		fed    bool
		next   time.Duration
		logged string // in all
	}{
		{nil, true, 15 * time.Second, ""},
		{late, false, time.Second, "ERROR"},
		{late, false, time.Second, "ERROR"},
		{nil, true, 15 * time.Second, "ERROR INFO"},
		{late, false, time.Second, "ERROR INFO ERROR"},
	} {
		found = tt.found
		next := n.feed(t.Context())
		var logged []string
		for line := range strings.Lines(log.String()) {
			_, rest, _ := strings.Cut(line, "level=")
			level, _, _ := strings.Cut(rest, " ")
			logged = append(logged, level)
		}
		if got := strings.Join(logged, " "); next != tt.next || got != tt.logged {
			t.Errorf("feeding %d: again in %s, logged %q; want %s, %q", i, next, got, tt.next, tt.logged)
		}
		if fed := received(t, manager); fed != tt.fed {
			t.Errorf("feeding %d: fed %t", i, fed)
		}
	}
}

// received reports whether a message has arrived at a socket, and discards it.
func received(t *testing.T, socket *net.UnixConn) bool {
	t.Helper()
	if err := socket.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err := socket.Read(make([]byte, 100))
	return err == nil
}
