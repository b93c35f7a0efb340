package dump

import (
	"testing"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestRunsAtEachTurn checks that the script runs each time the service turns from healthy to unhealthy: not before it
// was healthy, and not again while it is unhealthy.
func TestRunsAtEachTurn(t *testing.T) {
	n := newNode(t, "DIR/dump", "")
	n.script(t, "dump", "echo ran >>DIR/left")
	wantRuns := func(runs int) {
		t.Helper()
		n.waitForLog(t, runs, `msg="dump finished"`)
		if got := len(n.spans.Started()); got != runs {
			t.Errorf("started %d times, want %d", got, runs)
		}
	}
	n.jicofo(t.Context(), 503) // never healthy yet
	n.jicofo(t.Context(), 500)
	n.jicofo(t.Context(), 200)
	wantRuns(0)
	n.jicofo(t.Context(), 500)
	wantRuns(1)
	n.jicofo(t.Context(), 503) // still unhealthy
	n.jicofo(t.Context(), 500)
	wantRuns(1)
	n.jicofo(t.Context(), 200)
	wantRuns(1)
	n.jicofo(t.Context(), 503)
	wantRuns(2)
	if got := n.left("left"); got != "ran\nran\n" {
		t.Errorf("the script left %q", got)
	}
}

// TestRunsInGrace checks that the script runs at once, whether the verdict has changed or not: the evidence is then
// fresh.
func TestRunsInGrace(t *testing.T) {
	n := newNode(t, "DIR/dump", "")
	n.script(t, "dump", "echo ran >>DIR/left")
	n.jicofo(t.Context(), 200)
	n.prosody(t.Context(), 200)
	n.Observe(t.Context(), health.Observation{StatusFile: &health.StatusFile{Found: true, Contents: "ready"}})
	n.jicofo(t.Context(), 503)
	if v := n.Current().Verdict; !v.Healthy || !v.Damped {
		t.Fatalf("not in grace: %+v", v)
	}
	n.waitForLog(t, 1, `msg="dump finished"`)
}

// TestRunsForTheStatistics checks that both of jicofo's probes count, but not the values they return.
func TestRunsForTheStatistics(t *testing.T) {
	n := newNode(t, "DIR/dump", "")
	n.script(t, "dump", "")
	ok := health.Answer{Code: 200}
	n.jicofo(t.Context(), 200)
	n.Observe(t.Context(), health.Observation{Jicofo: &health.Jicofo{Health: ok, Stats: ok, StatsProblem: "not JSON"}})
	if got := len(n.spans.Started()); got != 0 {
		t.Errorf("started %d times for statistics that cannot be read", got)
	}
	n.Observe(t.Context(), health.Observation{Jicofo: &health.Jicofo{Health: ok,
		Stats: health.Answer{Failure: health.FailureTimeout}}})
	n.waitForLog(t, 1, `msg="dump finished"`)
}

// TestRunsOnlyTheFailingServicesScript checks that the failure of one service does not run the script of the other.
func TestRunsOnlyTheFailingServicesScript(t *testing.T) {
	n := newNode(t, "DIR/jicofo", "DIR/prosody")
	n.script(t, "jicofo", "echo ran >>DIR/left-by-jicofo")
	n.script(t, "prosody", "echo ran >>DIR/left-by-prosody")
	n.jicofo(t.Context(), 200)
	n.prosody(t.Context(), 200)
	n.Observe(t.Context(), health.Observation{StatusFile: &health.StatusFile{Found: true, Contents: "unhealthy"}})
	if got := len(n.spans.Started()); got != 0 {
		t.Errorf("started %d times for an operator's word", got)
	}
	n.prosody(t.Context(), 500)
	n.waitForLog(t, 1, `msg="dump finished"`, "service=prosody")
	if got := n.left("left-by-prosody"); got != "ran\n" {
		t.Errorf("prosody's script left %q", got)
	}
	if got := n.left("left-by-jicofo"); got != "" || len(n.spans.Started()) != 1 {
		t.Errorf("jicofo's script left %q", got)
	}
	n.jicofo(t.Context(), 500)
	n.waitForLog(t, 1, `msg="dump finished"`, "service=jicofo")
}

// TestRunsNothingWithoutACommand checks that an empty command line runs nothing.
func TestRunsNothingWithoutACommand(t *testing.T) {
	for _, command := range []string{"", "  "} {
		n := newNode(t, command, command)
		for _, code := range []int{200, 500} {
			n.jicofo(t.Context(), code)
			n.prosody(t.Context(), code)
		}
		if n.log.String() != "" || len(n.spans.Started()) != 0 {
			t.Errorf("command %q: %s", command, n.log)
		}
	}
}
