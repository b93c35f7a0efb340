package health_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/recording"
)

// recorder records what a Monitor publishes, in files of a few steps each.
type recorder struct {
	encoder recording.Encoder
	perFile int // steps; 0 for one file
	steps   int
	files   []bytes.Buffer
	changes [][]health.Change // of each file
	failure error
}

func (r *recorder) listen(_ context.Context, s health.Step, _ *health.Snapshot) {
	if len(r.files) == 0 || r.steps == 0 || r.perFile > 0 && r.steps%r.perFile == 0 {
		r.files, r.changes = append(r.files, bytes.Buffer{}), append(r.changes, nil)
		r.write(r.encoder.Header(s))
	}
	r.write(r.encoder.Lines(s))
	last := len(r.changes) - 1
	r.changes[last] = append(r.changes[last], s.Changes...)
	r.steps++
}

func (r *recorder) write(text []byte, err error) {
	if err != nil {
		r.failure = err
	}
	r.files[len(r.files)-1].Write(text)
}

// TestReplayGivesWhatWasRecorded checks for random observations, deadlines and rotations that each file of the
// recording replays to the changes that were published while it was written.
func TestReplayGivesWhatWasRecorded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := &recorder{perFile: rapid.IntRange(0, 5).Draw(rt, "steps in a file")}
		cfg := drawConfig(rt)
		plan := drawLiveRun(rt, cfg)
		synctest.Test(t, func(t *testing.T) { plan.play(t, cfg, r.listen) })
		if r.failure != nil {
			rt.Fatal(r.failure)
		}
		for i := range r.files {
			checkReplay(rt, r.files[i].String(), r.changes[i])
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
