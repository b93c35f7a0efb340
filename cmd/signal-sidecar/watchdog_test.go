package main

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

// part is overdue for as long as it says.
type part struct{ err error }

func (p *part) Overdue(time.Time) error { return p.err }

// TestOverdueOnce feeds after a pause of the whole process, which makes all parts late for a moment: it is not fed then, but
// soon after, and nothing is called stuck before it was found late twice.
func TestOverdueOnce(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	var log bytes.Buffer
	p := new(part)
	n := &notifier{socket: socket, watchdog: 30 * time.Second, parts: []overdue{p}, log: slog.New(slog.NewTextHandler(&log, nil))}
	late := errors.New("poll of jicofo is overdue by 10s")
	for i, tt := range []struct {
		found  error
		next   time.Duration
		logged string // in all
	}{
		{nil, 15 * time.Second, ""},
		{late, time.Second, ""},
		{nil, 15 * time.Second, ""},
		{late, time.Second, ""},
		{late, time.Second, "ERROR"},
		{late, time.Second, "ERROR"},
		{nil, 15 * time.Second, "ERROR INFO"},
		{late, time.Second, "ERROR INFO"},
	} {
		p.err = tt.found
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
	}
}
