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

	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	statusLimit = 4 << 10 // bytes

	// settleTime is for how long a file must be untouched before it is believed to hold no known word: editors
	// truncate or rename before they write.
	settleTime = 100 * time.Millisecond
	// settleLimit ends the wait for a file that is touched all the time and never holds a known word.
	settleLimit = time.Second
	// settleStep is the time between two looks at such a file, and counts for no more if it was longer: while this process
	// does not run, the writer may not run either.
	settleStep = 25 * time.Millisecond
)

// NewStatusFile reads the drain status file at each change of it and at every poll.
func NewStatusFile(path string, o Options) (Collector, error) {
	in, err := newInstruments(o)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("status file: %w", err)
	}
	return &statusFile{
		progress: progress{name: "status_file"}, path: path, interval: o.Interval, timeout: o.Timeout, tracer: in.tracer, observe: o.Observe,
		record: newRecorder(health.ProbeStatusFile, in, o.Logger), log: o.Logger.With("path", path),
	}, nil
}

type statusFile struct {
	progress
	path     string
	interval time.Duration
	timeout  time.Duration // of a reading, before it is overdue
	tracer   trace.Tracer
	observe  func(context.Context, health.Observation)
	record   *recorder
	log      *slog.Logger

	believed *health.StatusFile // the latest that was handed on
	doubt    *doubt             // what was read and not believed yet, nil for nothing
	confirm  *time.Timer        // when to look at the doubtful again, or at what could not be read
	backoff  time.Duration      // before the latest poll was made again, 0 if it was not
}

// doubt is a reading without a known word.
type doubt struct {
	reading
	looked    time.Time     // when it was read last
	unchanged time.Duration // for how long it was seen like this
	lasted    time.Duration // for how long the doubt has lasted
}

// Run watches and polls until ctx ends. It returns nil: where the file cannot be watched, it is polled.
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

	s.poll(ctx, watch, health.TriggerTick)
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
		s.poll(ctx, watch, trigger)
	}
}

// poll looks at the file and follows where its path leads. What this process lacked the means to read is read again, with
// back-off.
func (s *statusFile) poll(ctx context.Context, watch *watch, trigger health.Trigger) {
	start := time.Now()
	s.begin(start, start.Add(s.timeout))
	read := s.look(ctx, trigger)
	// After the reading, which is what is urgent. What changed while a new directory was not watched yet is read now.
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
	s.expect(time.Now().Add(s.backoff))
}

// look reads the file and hands on what is to be believed. An event that changes nothing is not an observation. It
// reports whether this process had the means to read.
func (s *statusFile) look(ctx context.Context, trigger health.Trigger) bool {
	start := time.Now()
	r := readStatusFile(s.path)
	if isLocal(r.err) { // it says nothing about the file
		s.publish(ctx, start, time.Now(), health.Result{
			Probe: health.ProbeStatusFile, Outcome: health.Outcome(health.FailureLocal), Detail: r.err.Error(),
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
		s.publish(ctx, start, end, result)
	}
	return true
}

// publish traces, measures and logs a reading, after what it found has been observed.
func (s *statusFile) publish(ctx context.Context, start, end time.Time, result health.Result) {
	s.record.begin(ctx, start)
	s.record.end(end, 1, 0)
	s.record.publish(result)
}

// credible decides whether a reading counts. A known word does at once, and so does what is believed already; anything
// else must be seen unchanged for settleTime. Until then the timer is set to look again.
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

// reading is one look at the file, with what tells two states of it apart.
type reading struct {
	health.StatusFile
	info fs.FileInfo // nil when the file could not be opened
	err  error       // why the file could not be read
}

// sameAs reports whether the file was left untouched between two readings.
func (r reading) sameAs(q reading) bool {
	if r.StatusFile != q.StatusFile || (r.info == nil) != (q.info == nil) {
		return false
	}
	return r.info == nil || os.SameFile(r.info, q.info) && r.info.ModTime().Equal(q.info.ModTime())
}

// readStatusFile reads at most 4 KiB of a regular file; whatever else lies at the path is not even opened, or, where
// that can only be told afterwards, not waited for.
func readStatusFile(path string) reading {
	r, err := openAndRead(path)
	if err != nil {
		r.StatusFile, r.err = health.StatusFile{Problem: err.Error()}, err
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
	if !r.info.Mode().IsRegular() { // put there since: reading a FIFO would wait for its writer
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
