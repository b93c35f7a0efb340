package main_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestStatusFileEdits measures the time from the rename of a new status file to the changed reply.
func TestStatusFileEdits(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"POLLING_INTERVAL": "60"}) // the watch of the file is enough
	s.becomes(t, "up ready 100%")
	const edits = 100
	took := make([]time.Duration, 0, edits)
	for i := range edits {
		word, want := "ready", "up ready 100%"
		if i%2 == 0 {
			word, want = "drain", "up drain 0%"
		}
		began := time.Now()
		s.Say(t, word)
		for s.line() != want {
			if time.Since(began) > time.Second {
				t.Fatalf("%s is not there after %s", word, time.Since(began))
			}
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("p50 %s, p99 %s, most %s", took[edits/2], took[edits*99/100], took[edits-1])
	s.changes(t, edits+1)
}

func TestStatusFileWords(t *testing.T) {
	t.Parallel()
	s := startShard(t, nil)
	for _, step := range []struct{ content, line string }{
		{"ready", "up ready 100%"},
		{"maint", "up maint 0%"},
		{" \tREADY \r\n\n", "up ready 100%"},
		{"Drain", "up drain 0%"},
		{"\xEF\xBB\xBFmaint", "up maint 0%"},
		{"ready", "up ready 100%"},
		{"unhealthy", "down drain 0%"},
		{"ready", "up ready 100%"},
		{"nonsense", "up drain 100%"},
		{"ready", "up ready 100%"},
		{"", "up drain 100%"},
	} {
		s.Say(t, step.content)
		s.becomes(t, step.line)
	}
	testbed.Must(t, os.Remove(s.StatusPath))
	s.becomes(t, "down drain 100%")
	if r := s.report(t); r.Statuses.StatusFileFound || r.Status != "unknown" {
		t.Errorf("the report on a missing status file: %+v", r)
	}
	s.Say(t, "ready")
	s.becomes(t, "up ready 100%")
}

// TestStatusFileRewrittenInPlace truncates and writes the file in two steps, as editors and redirections do. The
// sidecar must not use the empty content.
func TestStatusFileRewrittenInPlace(t *testing.T) {
	t.Parallel()
	s := startShard(t, nil)
	s.becomes(t, "up ready 100%")
	const edits = 50
	hasty := true // the time from truncating to writing was always short enough
	for i := range edits {
		word := "drain"
		if i%2 == 1 {
			word = "ready"
		}
		began := time.Now()
		testbed.Must(t, os.Truncate(s.StatusPath, 0))
		testbed.Must(t, os.WriteFile(s.StatusPath, []byte(word+"\n"), 0o644))
		hasty = hasty && time.Since(began) < 50*time.Millisecond
		testbed.Eventually(t, word, bound, func() bool { return strings.Contains(s.line(), word) })
	}
	if hasty {
		s.changes(t, edits+1)
	}
}
