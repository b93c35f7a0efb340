package consul

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
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

const (
	maxValue = 512 << 10 // bytes that Consul accepts for a value by default

	// minSpacing is the shortest time between two puts, and the first delay after a failure.
	minSpacing = time.Second
	// intervalJitter is the share of the interval by which puts are spread.
	intervalJitter = 0.1
)

// PublisherOptions are what a Publisher needs.
type PublisherOptions struct {
	Client   *api.Client
	Key      string
	Interval time.Duration // between two puts without a change of the verdict; > 0
	Census   bool          // whether the report contains the rooms
	Source   interface{ Current() *health.Snapshot }
	// StatusFound reports whether the status key exists. A report that was deleted is put again only then. nil means
	// that there is no status key.
	StatusFound func() bool

	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Logger         *slog.Logger
}

// Publisher puts the report of the node at a key.
type Publisher struct {
	PublisherOptions
	spacing  time.Duration // minSpacing
	tracer   trace.Tracer
	outcomes *outcomes
	wake     chan struct{} // holds a token when the verdict has changed

	// Of Run.
	retry   *backoff.ExponentialBackOff
	put     bool      // whether this process has put a report, or there was one
	deleted time.Time // when the deletion of the report was noticed, zero for none
	limit   int       // bytes of the largest report that is put with its rooms
	omitted bool      // whether a report had to omit the rooms

	mu     sync.Mutex
	cause  trace.SpanContext // of the latest change of the verdict that is not published
	latest Published
}

// Published is the state of a Publisher.
type Published struct {
	Key     string
	At      time.Time // of the latest report that was put, zero for none
	Problem string    // of the latest put, in an operator's words; "" if it worked
	Error   string    // the original error of Problem
	Kind    Kind      // of this error
}

// NewPublisher returns a Publisher, or an error if an instrument cannot be created.
func NewPublisher(o PublisherOptions) (*Publisher, error) {
	in, err := newInstruments(o.MeterProvider)
	if err != nil {
		return nil, err
	}
	p := &Publisher{
		PublisherOptions: o, spacing: minSpacing, tracer: o.TracerProvider.Tracer(scope),
		outcomes: newOutcomes(in, operationReport, o.Logger.With("key", o.Key), KindConflict),
		wake:     make(chan struct{}, 1), limit: maxValue, latest: Published{Key: o.Key},
	}
	return p, p.register()
}

// Published returns the state of the Publisher.
func (p *Publisher) Published() Published {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest
}

// Listen is a health.Listener: it makes Run put a report for each change of the verdict, the first verdict included.
func (p *Publisher) Listen(ctx context.Context, step health.Step, _ *health.Snapshot) {
	if len(step.Changes) == 0 {
		return
	}
	p.mu.Lock()
	p.cause = trace.SpanContextFromContext(ctx)
	p.mu.Unlock()
	p.wakeUp()
}

// wakeUp makes Run put a report.
func (p *Publisher) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default: // the put that follows has this change too
	}
}

// Run puts reports until ctx ends. It returns nil: a failure is retried after a back-off. Changes of the verdict do not
// shorten it.
func (p *Publisher) Run(ctx context.Context) error {
	p.retry = newBackOff(p.spacing, p.Interval)
	timer := time.NewTimer(p.Interval)
	timer.Stop()
	defer timer.Stop()
	if p.Source.Current().Verdict.Known { // restored, or before Listen was called
		p.wakeUp()
	}
	for wake := p.wake; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-timer.C:
		}
		select {
		case <-p.wake: // the put that follows has this change too
		default:
		}
		next, ok := p.publish(ctx)
		timer.Reset(next)
		if wake = p.wake; !ok {
			wake = nil
		}
		sleep(ctx, p.spacing) // the changes in this time are one put
	}
}

// publish puts a report, and returns the time until the next one. ok is false if it failed.
func (p *Publisher) publish(ctx context.Context) (next time.Duration, ok bool) {
	first := !p.put
	ctx, span := p.tracer.Start(ctx, "consul report",
		trace.WithAttributes(attribute.String("signal.consul.key", p.Key)), trace.WithLinks(p.links()...))
	defer span.End()
	kind, err := p.putReport(ctx, span)
	if ctx.Err() != nil {
		return p.Interval, false
	}
	p.mu.Lock()
	p.latest.Problem, p.latest.Error, p.latest.Kind = "", "", kind
	if err != nil {
		p.latest.Problem, p.latest.Error = describe(kind, err), message(err)
	}
	p.mu.Unlock()
	if err != nil {
		span.SetAttributes(attribute.String("error.type", string(kind)))
		span.SetAttributes(attribute.String("signal.error", message(err)))
		span.SetStatus(codes.Error, describe(kind, err))
		p.outcomes.failed(ctx, kind, err)
		return retryAfterOf(err) + min(p.retry.NextBackOff(), p.Interval), false
	}
	p.retry.Reset()
	p.outcomes.worked(ctx)
	if first { // a fleet that was started at once must not put in step
		return max(p.spacing, jittered(p.Interval, 1)), true
	}
	return jittered(p.Interval, intervalJitter), true
}

// jittered returns a random time: the interval, or less by at most this share of it.
func jittered(interval time.Duration, share float64) time.Duration {
	return time.Duration(float64(interval) * (1 - share*rand.Float64())) //nolint:gosec // G404: no secret
}

// links returns a link to the trace of the change of the verdict that is published now.
func (p *Publisher) links() []trace.Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	cause := p.cause
	p.cause = trace.SpanContext{}
	if !cause.IsValid() {
		return nil
	}
	return []trace.Link{{SpanContext: cause}}
}

var errConflict = errors.New("the key has been changed by another client at the same time")

// putReport puts the current report with check-and-set, unless it was deleted.
func (p *Publisher) putReport(ctx context.Context, span trace.Span) (Kind, error) {
	kv := p.Client.KV()
	old, _, err := kv.Get(p.Key, new(api.QueryOptions).WithContext(ctx))
	if err != nil {
		return kindOf(err), err
	}
	index := uint64(0) // the key must not exist
	if old != nil {
		index, p.put, p.deleted = old.ModifyIndex, true, time.Time{}
	} else if !p.mayCreate(ctx) {
		span.SetAttributes(attribute.Bool("signal.consul.deleted", true))
		return "", nil
	}
	snapshot := p.Source.Current()
	value, rooms := p.render(ctx, snapshot)
	pair := &api.KVPair{Key: p.Key, Value: value, ModifyIndex: index}
	ok, _, err := kv.CAS(pair, new(api.WriteOptions).WithContext(ctx))
	if rooms && tooLarge(err) {
		p.limit = len(value) * 7 / 8 // so that the next report, which may be a little smaller, is not refused too
		pair.Value, _ = p.render(ctx, snapshot)
		ok, _, err = kv.CAS(pair, new(api.WriteOptions).WithContext(ctx))
	}
	span.SetAttributes(attribute.Int("signal.consul.size", len(pair.Value)))
	switch {
	case err != nil:
		return kindOf(err), err
	case !ok:
		return KindConflict, fmt.Errorf("PUT %s: %w", p.Key, errConflict)
	}
	p.put, p.deleted = true, time.Time{}
	p.mu.Lock()
	p.latest.At = time.Now()
	p.mu.Unlock()
	return "", nil
}

// mayCreate reports whether a report may be put where there is none. One that was deleted may only be put again after
// an interval, and while the status key exists: whoever retires a shard deletes both keys, in either order.
func (p *Publisher) mayCreate(ctx context.Context) bool {
	if !p.put {
		return true
	}
	now := time.Now()
	if p.deleted.IsZero() {
		p.deleted = now
		p.Logger.InfoContext(ctx, "report was deleted from consul", "key", p.Key)
	}
	return now.Sub(p.deleted) >= p.Interval && (p.StatusFound == nil || p.StatusFound())
}

// published is a report as it is put.
type published struct {
	health.Report
	Census        json.RawMessage `json:"census"`
	CensusOmitted bool            `json:"censusOmitted,omitempty"`
}

// tooLarge reports whether Consul refused a value because of its size: its kv_max_value_size may be less than maxValue.
func tooLarge(err error) bool {
	status := (*StatusError)(nil)
	return errors.As(err, &status) && status.Code == http.StatusRequestEntityTooLarge
}

// render returns the report, and whether it contains the rooms. It omits them if Consul would refuse it.
func (p *Publisher) render(ctx context.Context, s *health.Snapshot) (value []byte, rooms bool) {
	report := published{Report: s.Report(), Census: json.RawMessage("[]")}
	if rooms = p.Census && s.Census.OK() && len(s.Census.Rooms) > 0; rooms {
		report.Census = s.Census.Rooms
	}
	value = encode(report)
	if rooms && len(value) > p.limit {
		if !p.omitted {
			p.Logger.WarnContext(ctx, "report is too large for consul and is put without its rooms",
				"key", p.Key, "bytes", len(value), "limit", p.limit)
		}
		report.Census, report.CensusOmitted = json.RawMessage("[]"), true
		value, rooms, p.omitted = encode(report), false, true
	}
	return value, rooms
}

// encode returns JSON. It panics on a value that JSON cannot represent; no report holds one.
func encode(report published) []byte {
	value, err := json.Marshal(report)
	if err != nil {
		panic(err)
	}
	return value
}

// register registers the metric of the latest put.
func (p *Publisher) register() error {
	_, err := p.MeterProvider.Meter(scope).Float64ObservableGauge("signal.consul.report.timestamp", metric.WithUnit("s"),
		metric.WithDescription("When the report was put at CONSUL_REPORT_KEY last, in seconds since the epoch."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			if at := p.Published().At; !at.IsZero() {
				o.Observe(float64(at.UnixMilli()) / 1000)
			}
			return nil
		}))
	if err != nil {
		return fmt.Errorf("create consul instruments: %w", err)
	}
	return nil
}
