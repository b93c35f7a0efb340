// Package recorder records for tests what a Monitor publishes.
package recorder

import (
	"bytes"
	"context"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/recording"
)

// Recorder records what a Monitor publishes, in files of a few steps each.
type Recorder struct {
	PerFile int // steps; 0 for one file

	Files   []bytes.Buffer
	Changes [][]health.Change // of each file
	Failure error             // the latest

	encoder recording.Encoder
	steps   int
}

// Listen records a step. It is a health.Listener.
func (r *Recorder) Listen(_ context.Context, s health.Step, _ *health.Snapshot) {
	if r.steps == 0 || r.PerFile > 0 && r.steps%r.PerFile == 0 {
		r.Files, r.Changes = append(r.Files, bytes.Buffer{}), append(r.Changes, nil)
		r.write(r.encoder.Header(s))
	}
	r.write(r.encoder.Lines(s))
	last := len(r.Changes) - 1
	r.Changes[last] = append(r.Changes[last], s.Changes...)
	r.steps++
}

// Restart makes the next step begin a file, as the start of another process does.
func (r *Recorder) Restart() { r.steps = 0 }

func (r *Recorder) write(text []byte, err error) {
	if err != nil {
		r.Failure = err
	}
	_, _ = r.Files[len(r.Files)-1].Write(text) // a bytes.Buffer returns no error
}
