package consul

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/consul/api"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// WatchOptions are what a Watch needs.
type WatchOptions struct {
	// Client needs no telemetry: a blocking query takes minutes, which says nothing about Consul.
	Client *api.Client
	Key    string
	Path   string // of the status file

	// FileWord returns the word in the status file, as the node has observed it, "" before that: a metric compares it
	// with the key. It must not read the file.
	FileWord func() health.Word
	// OnApplied is called when a value has been applied, with its ModifyIndex. nil for no call.
	OnApplied func(modifyIndex uint64)

	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Logger         *slog.Logger
}

// Status is what a Watch knows.
type Status struct {
	Key         string
	Found       bool        // whether the key exists, as far as is known
	Value       string      // "" if the key was not found
	Word        health.Word // WordUnknown for a value that is no known word, and before the first answer
	ModifyIndex uint64
	Changed     time.Time // when this process saw the value first; zero before the first answer
	Problem     string    // of the latest query or write, in an operator's words; "" if it worked
	Error       string    // the original error of Problem
	Kind        Kind      // of this error
}

// pace contains the times of a Watch.
type pace struct {
	wait                 time.Duration // for which a blocking query waits
	minRetry, maxRetry   time.Duration // after a failure, with jitter
	minPause, maxPause   time.Duration // after an answer without news that came within quick
	quick                time.Duration
	minRewrite, maxWrite time.Duration // until the status file is written again
}

var defaultPace = pace{
	wait: 2 * time.Minute, minRetry: 500 * time.Millisecond, maxRetry: 30 * time.Second,
	minPause: 20 * time.Millisecond, maxPause: 2 * time.Second, quick: time.Second,
	minRewrite: time.Second, maxWrite: time.Minute,
}

// Watch writes each new value of a key to the status file.
type Watch struct {
	WatchOptions
	pace     pace
	file     statusFile
	tracer   trace.Tracer
	outcomes *outcomes

	// Of Run.
	retry, rewrite *backoff.ExponentialBackOff
	index          uint64      // of the latest answer; 0 makes the next query return at once
	fresh          bool        // whether the next query asks the leader, because another server is behind
	applied        uint64      // ModifyIndex of the value that was applied latest
	pending        health.Word // the word that is to be written, "" for none
	quiet          int         // consecutive quick answers without news

	mu     sync.Mutex
	status Status
}

// NewWatch returns a Watch, or an error if an instrument cannot be created.
func NewWatch(o WatchOptions) (*Watch, error) {
	in, err := newInstruments(o.MeterProvider)
	if err != nil {
		return nil, err
	}
	w := &Watch{
		WatchOptions: o, pace: defaultPace, file: statusFile{o.Path, (*os.File).Sync},
		tracer: o.TracerProvider.Tracer(scope),
		outcomes: newOutcomes(in, operationWatch, o.Logger.With("key", o.Key),
			KindMissing, KindValue, KindFile),
		status: Status{Key: o.Key, Word: health.WordUnknown},
	}
	return w, w.register()
}

// Resume gives the ModifyIndex of the value that an earlier process has applied. This value is not written again. It
// must be called before Run.
func (w *Watch) Resume(applied uint64) { w.applied = applied }

// Status returns what is known now.
func (w *Watch) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

func (w *Watch) update(change func(*Status)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.status)
}

// Run watches until ctx ends. It returns nil: a failure is retried.
func (w *Watch) Run(ctx context.Context) error {
	w.retry = newBackOff(w.pace.minRetry, w.pace.maxRetry)
	w.rewrite = newBackOff(w.pace.minRewrite, w.pace.maxWrite)
	for ctx.Err() == nil {
		sleep(ctx, w.step(ctx))
	}
	return nil
}

func newBackOff(initial, most time.Duration) *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = initial, most
	b.Reset()
	return b
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// step makes one query and uses its answer. It returns the time until the next one.
func (w *Watch) step(ctx context.Context) time.Duration {
	a := answer{start: time.Now(), blocking: w.index > 0, fresh: w.fresh}
	wait := w.pace.wait
	if w.pending != "" { // after that, the file is written again
		wait = w.rewrite.NextBackOff()
	}
	query := (&api.QueryOptions{AllowStale: !w.fresh, WaitIndex: w.index, WaitTime: wait}).WithContext(ctx)
	pair, meta, err := w.Client.KV().Get(w.Key, query)
	a.end = time.Now()
	switch {
	case ctx.Err() != nil:
		return 0
	case err == nil && meta.LastIndex == 0:
		err = errIndex
	}
	if err != nil {
		w.index, w.fresh = 0, false
		w.fail(ctx, a, kindOf(err), err)
		return retryAfterOf(err) + w.retry.NextBackOff()
	}
	w.retry.Reset()
	a.pair = pair
	if behind := w.behind(a, meta.LastIndex); behind {
		w.Logger.DebugContext(ctx, "consul's index went backwards", "index", meta.LastIndex, "before", w.index)
		w.index, w.fresh = 0, true
		return w.pause(a, false)
	}
	w.index, w.fresh = meta.LastIndex, false
	return w.pause(a, w.use(ctx, a))
}

var errIndex = errors.New("answered without an index: is that Consul's HTTP API?")

// answer is the answer to a query.
type answer struct {
	pair       *api.KVPair // nil for a missing key
	start, end time.Time
	blocking   bool
	fresh      bool // from the leader
}

// behind reports whether an answer may come from a server that is behind the one that answered before. It may also come
// from a Consul that was restored from a backup, which the leader can tell.
func (w *Watch) behind(a answer, index uint64) bool {
	if a.fresh {
		return false
	}
	return index < w.index || a.pair != nil && a.pair.ModifyIndex < max(w.applied, w.Status().ModifyIndex)
}

// pause returns the time until the next query. It limits the queries if Consul answers at once without news.
func (w *Watch) pause(a answer, news bool) time.Duration {
	if news || a.end.Sub(a.start) >= w.pace.quick {
		w.quiet = 0
	} else {
		w.quiet++
	}
	if w.quiet == 0 && !news {
		return 0
	}
	return min(w.pace.minPause<<min(w.quiet, 10), w.pace.maxPause)
}

// use uses an answer, and reports whether it contains news.
func (w *Watch) use(ctx context.Context, a answer) (news bool) {
	before := w.Status()
	if a.pair == nil {
		w.pending = ""
		w.update(func(s *Status) { s.Found, s.Value, s.Word = false, "", health.WordUnknown })
		if before.Found || before.Changed.IsZero() {
			w.update(func(s *Status) { s.Changed = a.end })
		}
		w.failOnce(ctx, a, before.Found, KindMissing, fmt.Errorf("there is no key %q", w.Key))
		return before.Found
	}
	news = !before.Found || a.pair.ModifyIndex != before.ModifyIndex
	if news {
		w.take(ctx, a)
	}
	word := w.Status().Word
	switch {
	case !word.Known():
		w.failOnce(ctx, a, news, KindValue, fmt.Errorf("%q is no known status", message(errors.New(w.Status().Value))))
	case w.pending != "":
		w.apply(ctx, a)
	default:
		w.work(ctx)
	}
	return news
}

// take takes a new value over. The value that an earlier process has applied is not to be written.
func (w *Watch) take(ctx context.Context, a answer) {
	value := string(a.pair.Value)
	word := health.ParseWord(value)
	w.pending = ""
	switch had := w.file.word(); {
	case !word.Known():
	case a.pair.ModifyIndex != w.applied:
		w.pending = word
	case had != word:
		w.Logger.WarnContext(ctx, "status file differs from consul and is kept: the value was applied before",
			"key", w.Key, "value", string(word), "file", string(had))
	}
	w.rewrite.Reset()
	w.update(func(s *Status) {
		s.Found, s.Value, s.Word, s.ModifyIndex, s.Changed = true, cut(value), word, a.pair.ModifyIndex, a.end
	})
}

// apply writes the pending word, unless the file contains it.
func (w *Watch) apply(ctx context.Context, a answer) {
	ctx, span := w.span(ctx, a)
	defer span.End()
	word, had := w.pending, w.file.word()
	if had != word {
		if err := w.file.write(word); err != nil {
			w.failSpan(ctx, span, KindFile, err)
			return
		}
		w.Logger.InfoContext(ctx, "status from consul written",
			"key", w.Key, "status", string(word), "before", string(had), "modify_index", a.pair.ModifyIndex)
	}
	span.SetAttributes(attribute.Bool("signal.consul.written", had != word))
	w.pending, w.applied = "", a.pair.ModifyIndex
	if w.OnApplied != nil {
		w.OnApplied(w.applied)
	}
	w.work(ctx)
}

// work records that everything works.
func (w *Watch) work(ctx context.Context) {
	w.update(func(s *Status) { s.Problem, s.Error, s.Kind = "", "", "" })
	w.outcomes.worked(ctx)
}

// failOnce records a failure that lasts until the key changes, once for each change.
func (w *Watch) failOnce(ctx context.Context, a answer, news bool, kind Kind, err error) {
	if news || w.Status().Kind != kind {
		w.fail(ctx, a, kind, err)
	}
}

func (w *Watch) fail(ctx context.Context, a answer, kind Kind, err error) {
	ctx, span := w.span(ctx, a)
	defer span.End()
	w.failSpan(ctx, span, kind, err)
}

func (w *Watch) failSpan(ctx context.Context, span trace.Span, kind Kind, err error) {
	span.SetAttributes(attribute.String("error.type", string(kind)))
	span.SetAttributes(attribute.String("signal.error", message(err)))
	span.SetStatus(codes.Error, describe(kind, err))
	w.update(func(s *Status) { s.Problem, s.Error, s.Kind = describe(kind, err), message(err), kind })
	w.outcomes.failed(ctx, kind, err)
}

// span begins the span of an answer with news or of a failure. A blocking query waits for minutes without news. So its
// span begins with the answer, and an attribute holds how long it waited.
func (w *Watch) span(ctx context.Context, a answer) (context.Context, trace.Span) {
	start := a.start
	attributes := []attribute.KeyValue{attribute.String("signal.consul.key", w.Key)}
	if a.blocking {
		start = a.end
		attributes = append(attributes, attribute.Float64("signal.consul.waited", float64(a.end.Sub(a.start).Milliseconds())/1e3))
	}
	if a.pair != nil {
		attributes = append(attributes, attribute.String("signal.consul.value", message(errors.New(string(a.pair.Value)))),
			attribute.Int64("signal.consul.modify_index", int64(a.pair.ModifyIndex))) //nolint:gosec // an index of Raft
	}
	return w.tracer.Start(ctx, "consul status", trace.WithTimestamp(start),
		trace.WithAttributes(attributes...))
}
