package collector

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestMain fails the package when a goroutine outlives its test.
func TestMain(m *testing.M) { testbed.Main(m) }

const (
	// bound is how long a test waits for something that must happen. No wait takes this long unless the test fails.
	bound = 20 * time.Second
	// never is an interval longer than any test, so that no regular poll follows the first one.
	never = time.Hour
)

// rig holds Options for a collector under test, and its observations.
type rig struct {
	t       *testing.T
	options Options
	seen    chan sighting
	metrics *sdkmetric.ManualReader
	spans   *tracetest.SpanRecorder
	log     *testbed.LogBuffer
}

// sighting is an observation as it was passed on.
type sighting struct {
	health.Observation
	ctx context.Context
}

// newRig returns a rig that polls once, with the default number of retries and a long timeout.
func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{
		t: t, seen: make(chan sighting, 100_000),
		metrics: sdkmetric.NewManualReader(), spans: tracetest.NewSpanRecorder(), log: new(testbed.LogBuffer),
	}
	r.options = Options{
		Interval: never, Timeout: bound, Retries: 2,
		Observe:        func(ctx context.Context, o health.Observation) { r.seen <- sighting{o, ctx} },
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans)),
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.metrics)),
		Logger: slog.New(slog.NewTextHandler(r.log,
			&slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime})),
	}
	return r
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// run runs the collector until stop is called or the test ends, and waits for its end.
func (r *rig) run(c Collector, err error) (stop func()) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	end, _ := testbed.Background(c.Run, bound)
	stop = sync.OnceFunc(func() {
		if err := end(); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
	r.t.Cleanup(stop)
	return stop
}

// next waits for the next observation, and for the end of the span of its poll: it has then been measured and logged.
func (r *rig) next() sighting {
	r.t.Helper()
	select {
	case s := <-r.seen:
		for span, began := trace.SpanFromContext(s.ctx), time.Now(); span.IsRecording() && time.Since(began) < bound; {
			runtime.Gosched() // not a sleep, which would let virtual time pass
		}
		return s
	case <-time.After(bound):
		r.t.Fatal("no observation came")
		panic("unreachable")
	}
}

// quiet fails the test if there is an observation that the test has not received.
func (r *rig) quiet() {
	r.t.Helper()
	select {
	case s := <-r.seen:
		r.t.Errorf("unexpected observation: %s", show(s.Observation))
	default:
	}
}

func show(o health.Observation) string {
	switch {
	case o.Jicofo != nil:
		return fmt.Sprintf("jicofo %+v", *o.Jicofo)
	case o.Prosody != nil:
		return fmt.Sprintf("prosody %+v", *o.Prosody)
	case o.StatusFile != nil:
		return fmt.Sprintf("status file %+v", *o.StatusFile)
	case o.Census != nil:
		return fmt.Sprintf("census %+v", *o.Census)
	default:
		return "nothing"
	}
}

// measured returns the data points of an instrument by their attributes. The value of a histogram is its count.
func (r *rig) measured(instrument string) map[string]float64 {
	r.t.Helper()
	points := map[string]float64{}
	for _, m := range r.instruments() {
		if m.Name != instrument {
			continue
		}
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				points[labels(p.Attributes)] = float64(p.Value)
			}
		case metricdata.Gauge[int64]:
			for _, p := range data.DataPoints {
				points[labels(p.Attributes)] = float64(p.Value)
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				points[labels(p.Attributes)] = float64(p.Count)
			}
		default:
			r.t.Fatalf("%s has data of an unexpected kind: %T", instrument, m.Data)
		}
	}
	return points
}

func (r *rig) instruments() (all []metricdata.Metrics) {
	r.t.Helper()
	var collected metricdata.ResourceMetrics
	if err := r.metrics.Collect(context.Background(), &collected); err != nil {
		r.t.Fatal(err)
	}
	for _, s := range collected.ScopeMetrics {
		all = append(all, s.Metrics...)
	}
	return all
}

// labels formats attributes as "key=value,key=value", sorted by key.
func labels(set attribute.Set) string { return set.Encoded(attribute.DefaultEncoder()) }

func startNode(t *testing.T) *signalnode.Node {
	t.Helper()
	n, err := signalnode.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return n
}

// behave sets the behavior of a service. "crash" ends the service.
func behave(t *testing.T, s *signalnode.Service, path, behavior string) {
	t.Helper()
	if behavior == "crash" {
		if err := s.Crash(); err != nil {
			t.Fatal(err)
		}
		return
	}
	s.Set(path, signalnode.MustParseBehavior(behavior))
}

// serveBodies starts a server on a real socket that replies 200 with a body for each path, and returns its origin.
func serveBodies(t *testing.T, bodies map[string][]byte) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(bodies[r.URL.Path])
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// serveWire starts a listener on a real socket that reads the head of each request and sends answer unchanged.
func serveWire(t *testing.T, answer string) (origin string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(bound))
				head := make([]byte, 4096)
				if _, err := conn.Read(head); err == nil {
					_, _ = io.WriteString(conn, answer)
				}
			})
		}
	})
	return "http://" + l.Addr().String()
}

// silent is the logger of servers that would log errors of their clients.
var silent = log.New(io.Discard, "", 0)
