package rest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// stalledWatch reports that a loop is stalled.
type stalledWatch struct{}

func (stalledWatch) Stalled(time.Time) error {
	return errors.New("the last poll of jicofo ended 20s ago")
}
func (stalledWatch) Stale(time.Time) bool { return true }

// staleWatch reports that the verdict is out of date, but that the loops make progress again.
type staleWatch struct{}

func (staleWatch) Stalled(time.Time) error { return nil }
func (staleWatch) Stale(time.Time) bool    { return true }

// TestStalledLoop checks that /health names a loop that makes no progress, and that no verdict is served or shown any
// more.
func TestStalledLoop(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		watch  SelfWatch
		code   int
		body   string
		reason string // on the page
	}{
		{stalledWatch{}, 503, "the last poll of jicofo ended 20s ago", "the last poll of jicofo ended 20s ago"},
		{staleWatch{}, 200, "OK", "the latest results of its probes are too old"},
	} {
		r := startServer(t, setup{watch: tt.watch})
		r.node.enter(t, "up")
		if got := r.ask(t, "GET", "/health"); got.code != tt.code || got.body != tt.body {
			t.Errorf("/health: %d %s, want %d %s", got.code, got.body, tt.code, tt.body)
		}
		for _, path := range []string{"/signal/health", "/about/health", "/signal/report"} {
			got := r.ask(t, "GET", path)
			if got.code != 500 || strings.Contains(got.body, `"healthy":true`) {
				t.Errorf("%s: %d %s", path, got.code, got.body)
			}
		}
		var e health.Explanation
		if err := json.Unmarshal([]byte(r.ask(t, "GET", "/signal/explain").body), &e); err != nil ||
			e.State != health.StateNone || e.Next != nil {
			t.Errorf("explained: %+v, %v", e, err)
		}
		page := r.ask(t, "GET", "/").body
		for _, want := range []string{
			"<title>Unknown</title>", "<h1>Unknown</h1>", `class="none"`, "no current verdict: " + tt.reason + ". HAProxy",
			"<code>none yet</code>", `href="` + loadAssets().paths["none.svg"],
		} {
			if !strings.Contains(page, want) {
				t.Errorf("the page has no %s", want)
			}
		}
	}
}
