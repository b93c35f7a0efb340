package recording

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	// maxQueued limits the steps that wait for a slow disk. With four probes every 5 s they cover 10 minutes.
	maxQueued = 512

	// The time between two attempts to write, while writes fail.
	minBackOff = time.Second
	maxBackOff = time.Minute
)

// Options is what a Recorder needs.
type Options struct {
	// Path is the file to record to. Full files are renamed to Path.1 … Path.4, where Path.4 is the oldest.
	Path string
	// MaxSize is the size in bytes from which a file counts as full. The lines of one step may exceed it.
	MaxSize int64

	MeterProvider metric.MeterProvider
	Logger        *slog.Logger
}

// Recorder writes every observation and every change of the verdict to a file that can be replayed. A disk that is
// slow, full or gone loses lines of the recording, but never an observation. The Recorder logs the loss and then
// continues with a new header, so that each run in the file still replays exactly.
type Recorder struct {
	queue   chan queued
	missing atomic.Int64 // steps dropped because the queue was full, since the last one queued

	log     *slog.Logger
	counts  instruments
	file    file
	encoder Encoder
	gap     bool // the next step does not continue the run in the file: it begins a run

	// While writes fail:
	failing bool
	lost    int64 // steps
	backOff time.Duration
	retry   time.Time // no attempt before this time
}

// queued is a step in the queue, and the number of steps that were dropped before it.
type queued struct {
	health.Step
	missing int64
}

// NewRecorder returns a Recorder that writes while Run runs. It returns an error if its instruments cannot be created.
func NewRecorder(o Options) (*Recorder, error) {
	r := &Recorder{
		queue: make(chan queued, maxQueued), file: file{path: o.Path, maxSize: o.MaxSize},
		log: o.Logger.With("record_path", o.Path),
	}
	return r, r.counts.register(o.MeterProvider)
}

// Listen queues a step for Run and never waits. It is a health.Listener.
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

// Run writes until ctx ends, and then writes the rest of the queue. It returns nil, because a failed recording must not
// stop the sidecar.
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

// record writes a step, unless it must still back off.
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

// fail handles a failed write: it counts the step as lost and sets the time of the next attempt. The next step that can
// be written begins a run.
func (r *Recorder) fail(ctx context.Context, now time.Time, err error) {
	_ = r.file.close() // prepare opens it again; err is the error that matters
	if !r.failing {
		r.failing, r.backOff = true, minBackOff
		r.log.ErrorContext(ctx, "recording fails", "detail", errtext.File(err), "error", err)
	} else {
		r.backOff = min(2*r.backOff, maxBackOff)
	}
	r.gap, r.retry = true, now.Add(r.backOff)
	r.lose()
}

// lose counts a step as lost.
func (r *Recorder) lose() {
	r.lost++
	r.counts.lost.Add(1)
}

// write appends the lines of a step, after a header if a run begins. It syncs changes to the disk.
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
