package rest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
	"github.com/signal-sidecar/signal-sidecar/otel"
	"github.com/signal-sidecar/signal-sidecar/telemetry"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// bound limits every wait of a test. A wait takes this long only if it fails.
const bound = 20 * time.Second

// setup is what a test can change of a server before it runs.
type setup struct {
	census    bool
	noMetrics bool
	gatherer  prometheus.Gatherer // replaces the real one
	page      PageOptions
	consul    ConsulSource
	fleet     Fleet
	past      History // replaces the real one
	second    bool    // a second listener
	openFiles uint64
	hosts     []string
	watch     SelfWatch
	access    Access
	change    func(*Server)
}

// runningServer is a server on a real socket with real telemetry, and the monitor that it reads.
type runningServer struct {
	*Server
	node   *node
	origin string
	client *http.Client
	log    *testbed.LogBuffer
	stop   func() error // ends the context and returns what Run returned
	ended  <-chan struct{}
}

// startServer runs a server until the test ends.
func startServer(t testing.TB, s setup) *runningServer {
	t.Helper()
	log := new(testbed.LogBuffer)
	telemetry, err := telemetry.New(context.Background(), telemetry.Options{
		Options: otel.Options{Prometheus: !s.noMetrics, Log: slog.NewTextHandler(log, nil)},
	})
	if err != nil {
		t.Fatal(err)
	}
	past := history.New()
	node := newNode(s.census, telemetry.Listen, past.Listen)
	if err := telemetry.Watch(node); err != nil {
		t.Fatal(err)
	}
	listeners := []net.Listener{listenLocally(t)}
	if s.second {
		listeners = append(listeners, listenLocally(t))
	}
	o := Options{
		Listeners: listeners, Hosts: s.hosts, Access: s.access, OpenFiles: s.openFiles,
		Source: node, Gatherer: telemetry.Gatherer, Census: s.census,
		History: past, Page: s.page, Consul: s.consul,
		MeterProvider: telemetry.MeterProvider, Logger: telemetry.Logger,
	}
	if o.Guard, err = guard.New(telemetry.MeterProvider, telemetry.Logger); err != nil {
		t.Fatal(err)
	}
	if s.watch != nil {
		o.SelfWatch = s.watch
	}
	o.Fleet = s.fleet
	if s.past != nil {
		o.History = s.past
	}
	if s.gatherer != nil {
		o.Gatherer = s.gatherer
	}
	server, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if s.change != nil {
		s.change(server)
	}
	r := &runningServer{
		Server: server, node: node, origin: "http://" + listeners[0].Addr().String(), log: log,
		client: &http.Client{Transport: new(http.Transport), Timeout: bound},
	}
	r.run(t)
	t.Cleanup(func() {
		r.client.CloseIdleConnections()
		if err := r.stop(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Run returned %v", err)
		}
		if err := telemetry.Shutdown(context.Background()); err != nil {
			t.Errorf("telemetry: %v", err)
		}
	})
	return r
}

func listenLocally(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (r *runningServer) run(t testing.TB) {
	r.stop, r.ended = testbed.Background(r.Run, bound)
}

// reply is a complete reply.
type reply struct {
	code   int
	header http.Header
	length int64 // of the header, -1 without it
	body   string
}

// ask sends one request; headers are "Name: value".
func (r *runningServer) ask(t testing.TB, method, path string, headers ...string) reply {
	t.Helper()
	request, err := http.NewRequest(method, r.origin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	answer, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	wantNotStored(t, method, path, answer)
	return reply{answer.StatusCode, answer.Header, answer.ContentLength, string(body)}
}

// dial connects to the server. The connection's deadline is the bound.
func (r *runningServer) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.origin, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(bound)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// fixedHistory is a History with fixed contents.
type fixedHistory struct {
	page    history.Page
	since   time.Time // the last argument of Since
	version uint64    // until it changes, the history does not change
	samples []history.Sample
	changes []history.Change
}

func (h *fixedHistory) Since(t time.Time) history.Page {
	h.since = t
	return h.page
}

func (h *fixedHistory) Version() uint64           { return h.version }
func (h *fixedHistory) Samples() []history.Sample { return h.samples }
func (h *fixedHistory) Changes() []history.Change { return h.changes }

// countedHistory is an empty History that counts how often it is read.
type countedHistory struct {
	fixedHistory
	calls int
}

func (h *countedHistory) Since(t time.Time) history.Page {
	h.calls++
	return h.fixedHistory.Since(t)
}

// node is a real monitor with a simulated node. An observation stays until the next one of its kind.
type node struct{ *health.Monitor }

// observedAt is the time of all observations, in a zone that is not UTC.
var observedAt = time.Date(2026, 1, 2, 5, 4, 5, 678_900_000, time.FixedZone("", 2*60*60))

func newNode(census bool, listeners ...health.Listener) *node {
	return &node{health.NewMonitor(health.Config{
		ParticipantMax: 5000, HealthDampening: 30 * time.Second, DrainGrace: 120 * time.Second,
		DrainGraceScope: health.ScopeJicofo, Census: census,
	}, listeners...)}
}

func (n *node) observe(parts ...health.Observation) {
	for _, o := range parts {
		o.At = observedAt
		n.Observe(context.Background(), o)
	}
}
