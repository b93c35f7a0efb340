package health_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/recording"
	"github.com/signal-sidecar/signal-sidecar/testbed/recorder"
)

// TestReplayGivesWhatWasRecorded checks for random observations, deadlines and rotations that each file of the
// recording replays to the changes that were published while it was written.
func TestReplayGivesWhatWasRecorded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := &recorder.Recorder{PerFile: rapid.IntRange(0, 5).Draw(rt, "steps in a file")}
		cfg := drawConfig(rt)
		plan := drawLiveRun(rt, cfg)
		synctest.Test(t, func(t *testing.T) { plan.play(t, cfg, r.Listen) })
		if r.Failure != nil {
			rt.Fatal(r.Failure)
		}
		for i := range r.Files {
			checkReplay(rt, r.Files[i].String(), r.Changes[i])
		}
	})
}

func checkReplay(t *rapid.T, text string, changes []health.Change) {
	read := recording.Read(strings.NewReader(text))
	if len(read.Problems) > 0 || len(read.Runs) != 1 {
		t.Fatalf("%d runs, problems %v in\n%s", len(read.Runs), read.Problems, text)
	}
	run := read.Runs[0]
	if p := run.Compare(); p != nil {
		t.Fatalf("line %d: %s\n%s", p.Line, p.Reason, text)
	}
	if len(run.Recorded) != len(changes) {
		t.Fatalf("%d changes recorded, %d published\n%s", len(run.Recorded), len(changes), text)
	}
	for i, c := range run.Replay(run.Config) {
		if want := changes[i].To; !c.To.Same(want) || c.To.Incident != want.Incident || !c.At.Equal(changes[i].At) {
			t.Fatalf("replayed %+v, published %+v\n%s", c, changes[i], text)
		}
	}
}
