package recording_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed/recorder"
)

var update = flag.Bool("update", false, "write the generated recordings of testdata anew")

// incidents are the generated recordings in testdata: typical incidents, polled every 5 s.
var incidents = []struct {
	file    string
	restart int // polls until the sidecar restarts and later its file rotates; 0 for neither
	polls   int
	night   func(n *node, poll int)
}{
	{"jicofo_overloaded.jsonl", 0, 48, func(n *node, poll int) {
		n.jicofo.Participants, n.jicofo.Conferences = float64(4200+40*poll), float64(310+poll)
		if poll >= 6 && poll < 36 {
			n.jicofo.Health = health.Answer{
				Code: 503,
				Exchange: exchange("http://localhost:8888/about/health", "overloaded", health.Attempt{
					Start: poll5(poll), ConnectDone: 0.0002, RequestSent: 0.0003, FirstByte: 0.0104, Done: 0.0105, Code: 503,
				}),
			}
			n.jicofo.Contents = "overloaded"
		}
	}},
	{"prosody_dies_and_flaps.jsonl", 12, 40, func(n *node, poll int) {
		if poll >= 8 && poll < 10 || poll >= 20 && poll < 26 || poll == 28 {
			refused := "dial tcp 127.0.0.1:5280: connect: connection refused"
			n.prosody.Health = health.Answer{
				Failure: health.FailureRefused, Detail: "does not accept connections at localhost:5280", Error: refused,
				Exchange: exchange("http://localhost:5280/http-bind", "",
					health.Attempt{Start: poll5(poll), Done: 0.0001, Error: refused},
					health.Attempt{Start: poll5(poll), Done: 0.0001, Error: refused},
				),
			}
		}
		if poll >= 30 && poll < 34 {
			n.statusFile.Contents = "maint"
		}
	}},
}

// poll5 returns the start of a poll of a generated recording.
func poll5(poll int) time.Time {
	return time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC).Add(time.Duration(poll) * 5 * time.Second)
}

func exchange(url, body string, attempts ...health.Attempt) *health.Exchange {
	return &health.Exchange{URL: url, TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", Attempts: attempts, Body: body}
}

// TestGeneratedRecordings checks that the recorder still writes the same recordings; -update writes new ones.
func TestGeneratedRecordings(t *testing.T) {
	for _, c := range incidents {
		cfg := settings
		cfg.Instance = "shard1"
		r := new(recorder.Recorder)
		monitor := health.NewMonitor(cfg, r.Listen)
		for poll := range c.polls {
			if c.restart > 0 && poll == c.restart {
				r.Restart()
				monitor = health.NewMonitor(cfg, r.Listen)
			}
			if c.restart > 0 && poll > c.restart {
				r.PerFile = 3 * c.restart
			}
			n := workingNode()
			c.night(&n, poll)
			for i, o := range n.observe() {
				o.At, o.Trigger = poll5(poll).Add(time.Duration(i*11)*time.Millisecond), health.TriggerTick
				monitor.Observe(context.Background(), o)
			}
		}
		var all bytes.Buffer
		for _, file := range r.Files {
			all.Write(file.Bytes())
		}
		compareFile(t, filepath.Join("testdata", "recordings", c.file), all.Bytes())
	}
}

func compareFile(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is recorded now; if that is meant, run the test with -update", file)
	}
}
