package faults_test

import (
	"cmp"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// area is a section of the matrix.
type area struct {
	title  string
	faults []fault
}

// areas is the matrix.
var areas = []area{
	{"jicofo and prosody", backends},
	{"The status file", statusFile},
	{"Clients of the agent port", agentPort},
	{"Clients of the HTTP port", httpPort},
	{"The process and its machine", process},
	{"Time", clock},
	{"Settings and commands", operators},
	{"Consul and the OpenTelemetry Collector", push},
}

// fault is a row: what is done to a node that is up and ready, and what must be seen. A row has inject or prepare and
// is run against the binary, or it names the tests that show it, or it gives the reason why it cannot be run.
type fault struct {
	does    string                       // what is done, as a phrase without a full stop
	prepare func(t *testing.T, s *shard) // before the start of the sidecar; may be nil
	inject  func(t *testing.T, s *shard) // may be nil
	undo    func(t *testing.T, s *shard) // ends the fault, after which the node must be up and ready; nil if it never ends
	want    seen
	within  within
	tests   []string // each a folder and the name of a test, such as "collector TestServiceMoves"
	ends    bool     // the fault ends the sidecar
	cannot  string   // why the row cannot be run
}

// seen is what must be seen. Empty fields are not checked.
type seen struct {
	line    string                       // reply of the agent
	reason  string                       // code of the root reason in /signal/explain
	text    string                       // regular expression for the text of that reason
	outcome string                       // a probe and its outcome, such as "prosody timeout"
	log     string                       // message of a log line
	metric  string                       // a series and its value, such as "signal_tolerated 1"
	also    string                       // what check checks, for the documentation
	check   func(t *testing.T, s *shard) // a further check; may be nil
}

// within is the time within which a fault must be seen.
type within string

// The tests of the matrix wait much longer than these times: a loaded machine must not fail them.
const (
	atOnce      within = "at once"
	debounced   within = "100 ms"
	onePoll     within = "POLLING_INTERVAL"
	onePollMore within = "POLLING_INTERVAL + PROBE_TIMEOUT"
	throughout  within = "all the time"
	atStart     within = "at the start"
)

const (
	up = "up ready 100%"
	// maxMemory is the limit of the sidecar's memory under each fault, in bytes.
	maxMemory = 64 << 20
)

// TestFaults runs each row of the matrix against the binary.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, a := range areas {
		t.Run(a.title, func(t *testing.T) {
			t.Parallel()
			for _, f := range a.faults {
				if len(f.tests) == 0 {
					t.Run(f.does, func(t *testing.T) {
						t.Parallel()
						f.run(t)
					})
				}
			}
		})
	}
}

func (f fault) run(t *testing.T) {
	t.Helper()
	if f.cannot != "" {
		t.Skip("this row is not run: " + f.cannot)
	}
	s := newShard(t)
	if f.prepare != nil {
		f.prepare(t, s)
	}
	s.start(t)
	if f.inject != nil {
		s.Becomes(t, up)
		f.inject(t, s)
	}
	f.want.expect(t, s)
	if f.undo != nil {
		f.undo(t, s)
		s.Becomes(t, up)
	}
	if !f.ends {
		s.stillWell(t)
	}
}

// expect waits until everything is seen.
func (w seen) expect(t *testing.T, s *shard) {
	t.Helper()
	if w.line != "" {
		s.Becomes(t, w.line)
		want := http.StatusOK
		if strings.HasPrefix(w.line, "down ") {
			want = http.StatusServiceUnavailable
		}
		if code, _ := testbed.Get("http://" + s.HTTP + "/signal/health"); code != want {
			t.Errorf("/signal/health replies %d while the agent replies %q", code, w.line)
		}
	}
	if w.reason != "" {
		w.expectReason(t, s)
	}
	if w.outcome != "" {
		probe, outcome, _ := strings.Cut(w.outcome, " ")
		series := `signal_probe_results_total{outcome="` + outcome + `",probe="` + probe + `"}`
		before := s.Metric(series)
		s.eventually(t, series+" to grow", func() bool { return s.Metric(series) != before })
		s.eventually(t, "a log line about the outcome", func() bool {
			return outcome == "ok" || len(s.Logged("probe began to fail", "probe", probe, "outcome", outcome)) > 0 ||
				len(s.Logged("probe fails differently", "probe", probe, "outcome", outcome)) > 0
		})
	}
	if w.log != "" {
		s.eventually(t, "the log line "+w.log, func() bool { return len(s.Logged(w.log)) > 0 })
	}
	if series, value, found := strings.Cut(w.metric, " "); found {
		s.eventually(t, w.metric, func() bool { return s.Metric(series) == value })
	}
	if w.check != nil {
		w.check(t, s)
	}
}

func (w seen) expectReason(t *testing.T, s *shard) {
	t.Helper()
	text, last := regexp.MustCompile(cmp.Or(w.text, ".")), ""
	defer func() {
		if t.Failed() {
			t.Logf("the last reason: %s", last)
		}
	}()
	s.eventually(t, "the reason "+w.reason+" "+w.text, func() bool {
		r := s.explain(t).root()
		last = r.Code + ": " + r.Text
		return r.Code == w.reason && text.MatchString(r.Text)
	})
}

// stillWell checks what every fault must leave as it was: the sidecar's own health, its memory, no panic, and that it
// ends when it is told to.
func (s *shard) stillWell(t *testing.T) {
	t.Helper()
	if s.Ended() {
		t.Fatal("the sidecar has ended")
	}
	s.eventually(t, "/health to be 200", func() bool {
		code, _ := testbed.Get("http://" + s.HTTP + "/health")
		return code == http.StatusOK
	})
	if panics := s.Logged("panic"); len(panics) > 0 {
		t.Errorf("panics: %v", panics)
	}
	if peak := s.PeakMemory(t); peak > maxMemory {
		t.Errorf("the sidecar took %d MiB", peak>>20)
	}
	if code, took := s.Stop(t, syscall.SIGTERM); code != 0 || took > testbed.Bound {
		t.Errorf("exit %d after %s", code, took)
	}
}
