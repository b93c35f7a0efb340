package otel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// numbered makes sampled spans that are named after their numbers.
func numbered(from, to int) (spans []sdktrace.ReadOnlySpan) {
	sampled := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled})
	for n := from; n <= to; n++ {
		spans = append(spans, tracetest.SpanStub{Name: fmt.Sprint(n), SpanContext: sampled}.Snapshot())
	}
	return spans
}

func numbers(spans []sdktrace.ReadOnlySpan) (all []string) {
	for _, s := range spans {
		all = append(all, s.Name())
	}
	return all
}

// queue stands for the batch processor, and takes what it is given.
type queue struct {
	sdktrace.SpanProcessor
	spans []sdktrace.ReadOnlySpan
}

func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) { q.spans = append(q.spans, s) }

func TestOutletFillsTheRoomAndNoMore(t *testing.T) {
	q := new(queue)
	o := &outlet{ledger: newTestLedger("traces"), batch: q, room: 4}
	o.send(numbered(1, 3)...)
	o.send(numbered(4, 11)...)
	for _, step := range []struct{ settle, queued int }{{0, 4}, {1, 5}, {4, 9}, {2, 11}, {2, 11}} {
		if step.settle > 0 {
			o.settled(step.settle, nil)
		}
		if len(q.spans) != step.queued {
			t.Fatalf("%d spans queued after %d were settled, want %d", len(q.spans), step.settle, step.queued)
		}
	}
	if got, want := numbers(q.spans), numbers(numbered(1, 11)); !slices.Equal(got, want) {
		t.Errorf("queued %q", got)
	}
	if o.room != 2 || o.waiting != nil || o.exported.Load() != 9 || o.dropped.Load() != 0 {
		t.Errorf("room %d, waiting %v, exported %d, dropped %d", o.room, o.waiting, o.exported.Load(), o.dropped.Load())
	}
}

func TestOutletDropsWhatDoesNotFit(t *testing.T) {
	q := new(queue)
	o := &outlet{ledger: newTestLedger("traces"), batch: q, room: 4}
	o.send(numbered(1, maxWaiting+4)...)
	if n := o.dropped.Load(); n != 0 {
		t.Errorf("%d dropped, and there was room", n)
	}
	o.send(numbered(1, 7)...)
	if n := o.dropped.Load(); n != 7 || len(q.spans) != 4 || len(o.waiting) != maxWaiting {
		t.Errorf("%d dropped, %d queued, %d waiting", n, len(q.spans), len(o.waiting))
	}
	o.settled(3, errors.New("refused"))
	o.send(numbered(1, 7)...)
	if n := o.dropped.Load(); n != 11 || o.failed.Load() != 3 || len(q.spans) != 7 || len(o.waiting) != maxWaiting {
		t.Errorf("%d dropped, %d failed, %d queued, %d waiting", n, o.failed.Load(), len(q.spans), len(o.waiting))
	}
}

// gate is an exporter that takes no batch until it is opened.
type gate struct {
	open chan struct{}
	err  error

	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
}

func (g *gate) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	select {
	case <-g.open:
	case <-ctx.Done():
		return ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spans = append(g.spans, spans...)
	return g.err
}

func (g *gate) Shutdown(context.Context) error { return nil }

func TestOutletBooksEverySpan(t *testing.T) {
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
	for name, err := range map[string]error{"exported": nil, "failed": errors.New("refused")} {
		t.Run(name, func(t *testing.T) {
			g := &gate{open: make(chan struct{}), err: err}
			o := newOutlet(g, newTestLedger("traces"))
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for _, s := range numbered(1, 1000) {
						o.send(s)
					}
				})
			}
			all.Wait()
			if n := o.dropped.Load(); n != 4000-8-maxWaiting {
				t.Errorf("%d dropped, want %d", n, 4000-8-maxWaiting)
			}
			close(g.open)
			_ = o.shutdown(t.Context())
			if sum := o.exported.Load() + o.failed.Load() + o.dropped.Load(); sum != 4000 {
				t.Errorf("%d exported, %d failed and %d dropped of 4000", o.exported.Load(), o.failed.Load(), o.dropped.Load())
			}
			if n := int64(len(g.spans)); n != o.exported.Load()+o.failed.Load() {
				t.Errorf("the exporter had %d", n)
			}
			if err == nil && o.exported.Load() != 8+maxWaiting {
				t.Errorf("%d exported, want all that waited", o.exported.Load())
			}
		})
	}
}

func TestOutletGivesUpAtTheEnd(t *testing.T) {
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
	g := &gate{open: make(chan struct{})}
	o := newOutlet(g, newTestLedger("traces"))
	o.send(numbered(1, 20)...)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.shutdown(over); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if n := o.dropped.Load(); n != 12 {
		t.Errorf("%d dropped, want 12", n)
	}
	close(g.open)
}

// With no delay at all the SDK would not rest.
func TestDelayOfTheEnvironment(t *testing.T) {
	for delay, want := range map[string]time.Duration{"": 5 * time.Second, "0": 5 * time.Second, "-1": 5 * time.Second, "200": 200 * time.Millisecond} {
		t.Run(delay, func(t *testing.T) {
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", delay)
			synctest.Test(t, func(t *testing.T) {
				o := newOutlet(tracetest.NewInMemoryExporter(), newTestLedger("traces"))
				o.send(numbered(1, 1)...)
				time.Sleep(want - time.Nanosecond) // virtual time
				synctest.Wait()
				if n := o.exported.Load(); n != 0 {
					t.Errorf("exported before %s", want)
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if n := o.exported.Load(); n != 1 {
					t.Errorf("not exported after %s", want)
				}
				_ = o.shutdown(t.Context())
			})
		})
	}
}

// What the variables say may be nonsense; the SDK panics at some of it.
func TestQueueOfTheEnvironment(t *testing.T) {
	for _, test := range []struct {
		size, batch string
		room        int
	}{
		{"", "", 2048}, {"64", "", 64}, {"64", "1000", 64}, {"-1", "", 2048}, {"0", "0", 2048},
		{"many", "more", 2048}, {"5", "-1", 5}, {" 7 ", " 3 ", 7},
	} {
		t.Run(test.size+","+test.batch, func(t *testing.T) {
			t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", test.size)
			t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", test.batch)
			exporter := tracetest.NewInMemoryExporter()
			o := newOutlet(exporter, newTestLedger("traces"))
			if o.room != test.room {
				t.Errorf("room for %d, want %d", o.room, test.room)
			}
			o.send(numbered(1, 100)...)
			if err := o.shutdown(t.Context()); err != nil || o.exported.Load() != 100 {
				t.Errorf("%d of 100 exported: %v", o.exported.Load(), err)
			}
		})
	}
}
