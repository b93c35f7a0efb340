package recording

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	// maxQueued bounds the steps that wait for a slow disk; at four probes every 5 s they are 10 minutes.
	maxQueued = 512

	// The time between two attempts to write, while writing fails.
	minBackOff = time.Second
	maxBackOff = time.Minute
)

// Options is what a Recorder needs.
type Options struct {
	// Path is the file to record to. Full files are renamed to Path.1 … Path.4, the oldest last.
	Path string
	// MaxSize is the size in bytes from which on a file is full; the lines of one step may exceed it.
	MaxSize int64

	MeterProvider metric.MeterProvider
	Logger        *slog.Logger
}

// Recorder writes everything that is observed, and every change of the verdict, to a file that can be replayed. A disk that
// is slow, full or gone costs lines of the recording, never an observation: what is missing is logged, and
// the recording goes on with a new header, so that each run in it still replays exactly.
type Recorder struct {
	queue   chan queued
	missing atomic.Int64 // steps that found no room in the queue, since the last one that did

	log     *slog.Logger
	counts  instruments
	file    file
	encoder Encoder
	gap     bool // the next step does not follow from what is in the file: it begins a run

	// While writing fails:
	failing bool
	lost    int64 // steps
	backOff time.Duration
	retry   time.Time // not to be tried before
}

// queued is a step on its way to the disk, and how many did not find room before it.
type queued struct {
	health.Step
	missing int64
}

// NewRecorder returns a Recorder that writes once it runs, or an error if its instruments cannot be made.
func NewRecorder(o Options) (*Recorder, error) {
	r := &Recorder{
		queue: make(chan queued, maxQueued), file: file{path: o.Path, maxSize: o.MaxSize},
		log: o.Logger.With("record_path", o.Path),
	}
	return r, r.counts.register(o.MeterProvider)
}

// Listen hands a step on to Run, and never waits; it is a health.Listener.
func (r *Recorder) Listen(_ context.Context, step health.Step, _ *health.Snapshot) {
	q := queued{step, r.missing.Load()}
	if !q.Observed() && len(q.Changes) == 0 {
		return
	}
	select {
	case r.queue <- q:
		r.missing.Store(0)
	default:
		r.missing.Add(1)
		r.counts.lost.Add(1)
	}
}

// Run writes until ctx ends, and then what is left. It returns nil: whatever happens to the recording, the sidecar goes on.
func (r *Recorder) Run(ctx context.Context) error {
	for {
		select {
		case q := <-r.queue:
			r.record(ctx, q)
		case <-ctx.Done():
			r.finish(context.WithoutCancel(ctx))
			return nil
		}
	}
}

func (r *Recorder) finish(ctx context.Context) {
	for {
		select {
		case q := <-r.queue:
			r.record(ctx, q)
		default:
			if err := r.file.close(); err != nil {
				r.log.WarnContext(ctx, "recording not written to the end", "error", err)
			}
			return
		}
	}
}

// record writes a step, unless writing failed a moment ago.
func (r *Recorder) record(ctx context.Context, q queued) {
	if q.missing > 0 {
		r.gap = true
		r.log.WarnContext(ctx, "recording has a gap: the disk is too slow", "steps", q.missing)
	}
	now := time.Now()
	if r.failing && now.Before(r.retry) {
		r.lose()
		return
	}
	if err := r.write(q.Step); err != nil {
		r.fail(ctx, now, err)
		return
	}
	r.counts.written.Add(1)
	if r.failing {
		r.log.InfoContext(ctx, "recording goes on", "steps_lost", r.lost)
		r.failing, r.lost = false, 0
	}
}

// fail notes that a step could not be written; the next one that can be begins a run.
func (r *Recorder) fail(ctx context.Context, now time.Time, err error) {
	_ = r.file.close() // it is opened anew; the error that matters is known
	if !r.failing {
		r.failing, r.backOff = true, minBackOff
		r.log.ErrorContext(ctx, "recording fails", "error", err)
	} else {
		r.backOff = min(2*r.backOff, maxBackOff)
	}
	r.gap, r.retry = true, now.Add(r.backOff)
	r.lose()
}

// lose counts a step that is not written.
func (r *Recorder) lose() {
	r.lost++
	r.counts.lost.Add(1)
}

// write appends the lines of a step, with a header before them where a run begins, and forces changes to the disk.
func (r *Recorder) write(s health.Step) error {
	opened, err := r.file.prepare()
	if err != nil {
		return err
	}
	var text []byte
	if opened || r.gap {
		if text, err = r.encoder.Header(s); err != nil {
			return err
		}
	}
	lines, err := r.encoder.Lines(s)
	if err != nil {
		return err
	}
	if err := r.file.write(append(text, lines...)); err != nil {
		return err
	}
	r.gap = false
	if len(s.Changes) > 0 {
		return r.file.sync()
	}
	return nil
}
