package collector

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	statusLimit = 4 << 10 // bytes

	// settleTime is how long a file must be unchanged before a content without a known word is accepted: editors
	// truncate or rename a file before they write it.
	settleTime = 100 * time.Millisecond
	// settleLimit is the longest wait for a file that keeps changing and never holds a known word.
	settleLimit = time.Second
	// settleStep is the time between two reads of such a file. A longer time counts as settleStep: while this process
	// does not run, the writer may not run either.
	settleStep = 25 * time.Millisecond
)

// NewStatusFile returns a Collector that reads the drain status file after each change and at every poll.
func NewStatusFile(path string, o Options) (Collector, error) {
	in, err := newInstruments(o)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("status file: %w", err)
	}
	return &statusFile{
		progress: progress{name: "status_file"}, path: path, interval: o.Interval, timeout: o.Timeout,
		tracer: in.tracer, observe: o.Observe,
		record: newRecorder(health.ProbeStatusFile, in, o.Logger), log: o.Logger.With("path", path), guard: o.Guard,
	}, nil
}

type statusFile struct {
	progress
	path     string
	interval time.Duration
	timeout  time.Duration // the longest duration of a read before it is overdue
	tracer   trace.Tracer
	observe  func(context.Context, health.Observation)
	record   *recorder
	log      *slog.Logger
	guard    *guard.Guard

	believed *health.StatusFile // the latest that was passed on
	doubt    *doubt             // a content that was read and is not accepted yet, nil for none
	confirm  *time.Timer        // fires when the file is to be read again
	backoff  time.Duration      // delay before the latest poll was repeated, 0 if it was not
}

// doubt is a content without a known word that is not accepted yet.
type doubt struct {
	reading
	looked    time.Time     // time of the latest read
	unchanged time.Duration // how long the file has been unchanged
	lasted    time.Duration // how long no content has been accepted
}

// Run watches and polls until ctx ends. It always returns nil: a file that cannot be watched is polled.
func (s *statusFile) Run(ctx context.Context) error {
	now := time.Now()
	s.begin(now, now.Add(s.timeout))
	watch := newWatch(s.path, s.log)
	defer watch.close()
	s.confirm = time.NewTimer(settleTime)
	s.confirm.Stop()
	defer s.confirm.Stop()
	tick := time.NewTicker(s.interval)
	defer tick.Stop()

	s.tryPoll(ctx, watch, health.TriggerTick)
	for {
		trigger := health.TriggerStatusFile
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			trigger = health.TriggerTick
		case event := <-watch.events():
			if !watch.concerns(event) {
				continue
			}
		case err := <-watch.errors():
			s.log.WarnContext(ctx, "status file watch lost events", "error", err)
		case <-s.confirm.C:
			if s.open {
				trigger = health.TriggerTick
			}
		}
		s.tryPoll(ctx, watch, trigger)
	}
}

// tryPoll polls. A poll that panics has observed nothing: it has no result, and is made again at the next tick or
// event.
func (s *statusFile) tryPoll(ctx context.Context, watch *watch, trigger health.Trigger) {
	defer s.fail() // without effect on a poll with a result
	defer s.guard.Catch(ctx, guard.Poll, s.name)
	s.poll(ctx, watch, trigger)
}

// poll reads the file and updates the watched directories. If this process lacked the resources to read, the read is
// repeated, with back-off.
func (s *statusFile) poll(ctx context.Context, watch *watch, trigger health.Trigger) {
	start := time.Now()
	s.begin(start, start.Add(s.timeout))
	read := s.look(ctx, trigger)
	// This follows the read, which is urgent. The file may have changed before a new directory was watched: read again.
	if watch.follow() {
		read = s.look(ctx, health.TriggerStatusFile)
	}
	if read {
		s.backoff = 0
		s.end(start.Add(s.interval))
		return
	}
	s.backoff = min(max(minBackoff, 2*s.backoff), s.interval)
	s.confirm.Reset(s.backoff)
}

// look reads the file and passes on an accepted content. An event without a change is not an observation. look reports
// whether this process had the resources to read.
func (s *statusFile) look(ctx context.Context, trigger health.Trigger) bool {
	start := time.Now()
	r := readStatusFile(s.path)
	if isLocal(r.err) { // this has no information about the file
		s.publish(ctx, start, time.Now(), health.Result{
			Probe: health.ProbeStatusFile, Outcome: health.Outcome(health.FailureLocal),
			Detail: "was not read: " + shortage(r.err), Error: r.err.Error(),
		})
		return false
	}
	if !s.credible(r, start) {
		return true
	}
	if trigger != health.TriggerTick && s.believed != nil && *s.believed == r.StatusFile {
		return true
	}
	s.believed = &r.StatusFile

	ctx, span := beginPoll(ctx, s.tracer, s.name, trigger, start)
	defer span.End()
	end := time.Now()
	o := health.Observation{At: end, Trigger: trigger, StatusFile: &r.StatusFile}
	s.observe(ctx, o)
	for _, result := range o.Results() {
		if r.err != nil {
			result.Error = r.err.Error()
		}
		s.publish(ctx, start, end, result)
	}
	return true
}

// publish traces, measures and logs a read. Its result has been observed before.
func (s *statusFile) publish(ctx context.Context, start, end time.Time, result health.Result) {
	s.record.begin(ctx, start)
	s.record.end(end, 1, 0)
	s.record.publish(result)
}

// credible reports whether a content is accepted. A known word and the latest accepted content are accepted at once.
// Any other content must be unchanged for settleTime; until then the timer is set to read again.
func (s *statusFile) credible(r reading, now time.Time) bool {
	if r.Word().Known() || s.believed != nil && *s.believed == r.StatusFile {
		s.doubt = nil
		s.confirm.Stop()
		return true
	}
	if s.doubt == nil {
		s.doubt = &doubt{reading: r, looked: now}
	}
	d := s.doubt
	passed := min(now.Sub(d.looked), settleStep)
	d.looked = now
	d.lasted += passed
	d.unchanged += passed
	if !d.sameAs(r) {
		d.reading, d.unchanged = r, 0
	}
	remaining := min(settleTime-d.unchanged, settleLimit-d.lasted)
	if remaining <= 0 {
		s.doubt = nil
		return true
	}
	s.confirm.Reset(min(remaining, settleStep))
	return false
}

// reading is the result of one read of the file, with the properties that show a change.
type reading struct {
	health.StatusFile
	info fs.FileInfo // nil when the file could not be opened
	err  error       // why the file could not be read
}

// sameAs reports whether the file did not change between two reads.
func (r reading) sameAs(q reading) bool {
	if r.StatusFile != q.StatusFile || (r.info == nil) != (q.info == nil) {
		return false
	}
	return r.info == nil || os.SameFile(r.info, q.info) && r.info.ModTime().Equal(q.info.ModTime())
}

// readStatusFile reads at most 4 KiB of a regular file. It does not open any other kind of file. If the file was
// replaced by another kind before the open, it does not wait for it.
func readStatusFile(path string) reading {
	r, err := openAndRead(path)
	if err != nil {
		r.StatusFile, r.err = health.StatusFile{Problem: errtext.File(err)}, err
	}
	return r
}

func notRegular(path string, info fs.FileInfo) error {
	return fmt.Errorf("%s is not a regular file (%s)", path, info.Mode().Type())
}

func openAndRead(path string) (r reading, err error) {
	if r.info, err = os.Stat(path); err != nil {
		return reading{}, err
	}
	if !r.info.Mode().IsRegular() {
		return r, notRegular(path, r.info)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return r, err
	}
	defer f.Close()
	if r.info, err = f.Stat(); err != nil {
		return reading{}, err
	}
	if !r.info.Mode().IsRegular() { // replaced since the first Stat: a read of a FIFO would wait for its writer
		return r, notRegular(path, r.info)
	}
	content, err := io.ReadAll(io.LimitReader(f, statusLimit+1))
	if err != nil {
		return r, err
	}
	if len(content) > statusLimit {
		return r, fmt.Errorf("%s is larger than %d bytes", path, statusLimit)
	}
	r.StatusFile = health.StatusFile{Found: true, Contents: health.TrimStatus(text(content))}
	return r, nil
}
