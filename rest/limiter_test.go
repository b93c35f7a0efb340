package rest

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// get sends a request on a connection and reads the reply.
func get(t *testing.T, conn net.Conn, path string) int {
	t.Helper()
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: node\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// idleConnections returns how many connections of a server are idle.
func (r *runningServer) idleConnections() int {
	l := r.listeners[0]
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.idle.Len()
}

// TestLongestIdleConnectionMakesPlace checks that a new connection replaces the one that has been idle for the longest
// time, whether it has sent a request or not, and that this is logged once and counted.
func TestLongestIdleConnectionMakesPlace(t *testing.T) {
	t.Parallel()
	r := startServer(t, setup{openFiles: 6}) // 3 connections
	first, second, third := r.dial(t), r.dial(t), r.dial(t)
	allIdle := func() {
		t.Helper()
		testbed.Eventually(t, "the connections to be idle", bound, func() bool { return r.idleConnections() == 3 })
	}
	allIdle()
	for _, conn := range []net.Conn{first, third} {
		get(t, conn, "/health")
		allIdle()
	}
	gone := func(name string, conn net.Conn) {
		t.Helper()
		if n, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			t.Errorf("%s: %d bytes and %v instead of the end", name, n, err)
		}
	}
	// second has never sent anything, then first has been idle for longer than third.
	fourth := r.dial(t)
	if code := get(t, fourth, "/health"); code != 200 {
		t.Errorf("/health answers %d", code)
	}
	gone("the second", second)
	allIdle()
	get(t, r.dial(t), "/health")
	gone("the first", first)
	get(t, third, "/health")
	allIdle()
	if n := strings.Count(r.log.String(), "the longest idle or busy ones are closed"); n != 1 {
		t.Errorf("%d log lines: %s", n, r.log)
	}
	third.Close() // makes place for the scrape
	testbed.Eventually(t, "a connection to close", bound, func() bool { return r.idleConnections() == 2 })
	families := r.scrape(t)["signal_http_evicted_total"].GetMetric()
	if len(families) != 1 || families[0].GetCounter().GetValue() != 2 {
		t.Errorf("signal_http_evicted_total: %v", families)
	}
}

// longTurns lets connections keep their places.
func longTurns(s *Server) {
	for _, l := range s.listeners {
		l.turn = bound
	}
}

// TestBusyConnectionsAreKept checks that a connection with a request in progress is not closed at once for another one,
// which waits for a while.
func TestBusyConnectionsAreKept(t *testing.T) {
	t.Parallel()
	g := newHeldGatherer()
	r := startServer(t, setup{gatherer: g, openFiles: 2, change: longTurns}) // 1 connection
	done := r.scrapeLater(g)
	waiting := r.dial(t)
	testbed.Eventually(t, "the connection to wait", bound, func() bool {
		return strings.Contains(r.log.String(), "HTTP connections wait")
	})
	close(g.release)
	if err := <-done; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	r.client.CloseIdleConnections()
	if code := get(t, waiting, "/health"); code != 200 {
		t.Errorf("/health answers %d", code)
	}
}

// TestStuckRequestsMakePlace checks that clients that do not read their replies, or do not send the body that they
// announced, keep nobody out.
func TestStuckRequestsMakePlace(t *testing.T) {
	t.Parallel()
	requests := map[string]string{
		"unread replies": strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: node\r\n\r\n", 1000), // some 27 MB
		"missing body":   "POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 100000\r\n\r\n",
	}
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startServer(t, setup{openFiles: 4}) // 2 connections
			for range 2 {
				conn := r.dial(t)
				go func() { _, _ = io.WriteString(conn, request) }()
			}
			for range 3 {
				start := time.Now()
				if code := get(t, r.dial(t), "/health"); code != 200 || time.Since(start) > readTimeout/2 {
					t.Errorf("/health answers %d after %s", code, time.Since(start))
				}
			}
		})
	}
}

// flood sends requests without waiting for replies, and reads all replies, until the connection is closed.
func flood(conn net.Conn) {
	requests := []byte(strings.Repeat("GET /health HTTP/1.1\r\nHost: node\r\n\r\n", 400))
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	go func() {
		for {
			if _, err := conn.Write(requests); err != nil {
				return
			}
		}
	}()
}

// TestFloodsMakePlace checks that clients that are never idle, because they always have the next request ready, keep
// nobody out.
func TestFloodsMakePlace(t *testing.T) {
	t.Parallel()
	r := startServer(t, setup{openFiles: 4}) // 2 connections
	for range 3 {
		for range 2 {
			flood(r.dial(t))
		}
		if code := get(t, r.dial(t), "/health"); code != 200 {
			t.Errorf("/health answers %d", code)
		}
	}
}

// TestFloodsTakeTurns checks that between a request and its reply each flooding client gets few replies, not all that
// fit into the 10 ms for which Go lets a goroutine run.
func TestFloodsTakeTurns(t *testing.T) {
	t.Parallel()
	var handled atomic.Int64
	r := startServer(t, setup{change: func(s *Server) {
		handler := s.http.Handler
		s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handled.Add(1)
			handler.ServeHTTP(w, r)
		})
	}})
	const floods, samples = 50, 21
	for range floods {
		flood(r.dial(t))
	}
	conn := r.dial(t)
	meanwhile := make([]int64, samples)
	for i := range meanwhile {
		before := handled.Load()
		get(t, conn, "/health")
		meanwhile[i] = handled.Load() - before
	}
	slices.Sort(meanwhile)
	if median := meanwhile[samples/2]; median > floods*20 {
		t.Errorf("%d requests of %d other clients were handled meanwhile: %d", median, floods, meanwhile)
	}
}

// TestReadsTakeTurns checks that a connection whose client has always sent more, such as PING frames of HTTP/2, does
// not read for the 10 ms for which Go lets a goroutine run.
func TestReadsTakeTurns(t *testing.T) {
	t.Parallel()
	evicted, err := newEvicted(noop.NewMeterProvider())
	testbed.Must(t, err)
	l := newLimiter(listenLocally(t), 100, slog.New(slog.DiscardHandler), evicted)
	t.Cleanup(func() { l.Close() })
	const clients, samples = 20, 21
	var reads atomic.Int64
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	for range clients {
		client, err := net.Dial("tcp", l.Addr().String())
		testbed.Must(t, err)
		conn, err := l.Accept()
		testbed.Must(t, err)
		t.Cleanup(func() { client.Close(); conn.Close() })
		all.Go(func() { _, _ = io.Copy(client, zeros{}) })
		all.Go(func() {
			for b := make([]byte, 1); ; reads.Add(1) {
				if _, err := conn.Read(b); err != nil {
					return
				}
			}
		})
	}
	testbed.Eventually(t, "many reads", bound, func() bool { return reads.Load() > 1000 })
	meanwhile := make([]int64, samples)
	for i := range meanwhile {
		before := reads.Load()
		runtime.Gosched()
		meanwhile[i] = reads.Load() - before
	}
	slices.Sort(meanwhile)
	if median := meanwhile[samples/2]; median > clients*20 {
		t.Errorf("%d reads of %d connections meanwhile: %d", median, clients, meanwhile)
	}
}

// zeros is an endless io.Reader.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// TestShutdownEndsWaitingConnection checks that a connection that waits for a place does not delay the shutdown.
func TestShutdownEndsWaitingConnection(t *testing.T) {
	t.Parallel()
	g := newHeldGatherer()
	r := startServer(t, setup{gatherer: g, openFiles: 2, change: longTurns})
	done := r.scrapeLater(g)
	waiting := r.dial(t)
	testbed.Eventually(t, "the connection to wait", bound, func() bool {
		return strings.Contains(r.log.String(), "HTTP connections wait")
	})
	time.AfterFunc(shutdownTime/4, func() { close(g.release) })
	if err := r.stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if _, err := waiting.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the connection that waited is still open: %v", err)
	}
}

// TestScrapesShareOneGathering checks that scrapes at the same time gather once, and that a later one gathers again.
func TestScrapesShareOneGathering(t *testing.T) {
	t.Parallel()
	gatherings, release := make(chan struct{}, 100), make(chan struct{})
	r := startServer(t, setup{gatherer: prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		gatherings <- struct{}{}
		<-release
		return prometheus.NewRegistry().Gather()
	})})
	const scrapes = 50
	codes := make(chan int, scrapes)
	for range scrapes {
		go func() {
			answer, err := r.client.Get(r.origin + "/metrics")
			if err != nil {
				codes <- 0
				return
			}
			answer.Body.Close()
			codes <- answer.StatusCode
		}()
	}
	f := r.bounds.scrapes
	testbed.Eventually(t, "all scrapes to be in progress", bound, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.flying) == scrapes
	})
	close(release)
	for range scrapes {
		if code := <-codes; code != 200 {
			t.Errorf("a scrape got %d", code)
		}
	}
	// A scrape that had entered, but had not asked the gatherer before the release, may gather again.
	if n := len(gatherings); n > scrapes/2 {
		t.Errorf("%d gatherings for %d scrapes", n, scrapes)
	}
	before := len(gatherings)
	if code := r.ask(t, "GET", "/metrics").code; code != 200 || len(gatherings) != before+1 {
		t.Errorf("a later scrape: %d, %d gatherings more", code, len(gatherings)-before)
	}
}

// TestHistoryIsRenderedOnce checks that clients share a rendering until something is added.
func TestHistoryIsRenderedOnce(t *testing.T) {
	t.Parallel()
	past := &countedHistory{}
	r := startServer(t, setup{past: past})
	for range 5 {
		r.ask(t, "GET", "/signal/history")
		r.ask(t, "GET", "/signal/history", "Accept-Encoding: gzip")
	}
	if past.calls != 1 {
		t.Errorf("rendered %d times", past.calls)
	}
	past.version++
	r.ask(t, "GET", "/signal/history")
	if past.calls != 2 {
		t.Errorf("rendered %d times, want 2", past.calls)
	}
	r.ask(t, "GET", "/signal/history?since=1m")
	r.ask(t, "GET", "/signal/history")
	if past.calls != 3 {
		t.Errorf("rendered %d times, want 3", past.calls)
	}
}

// cutWriter records whether its reply was cut off.
type cutWriter struct {
	http.ResponseWriter
	cut bool
}

func (w *cutWriter) SetWriteDeadline(time.Time) error {
	w.cut = true
	return nil
}

// TestFlightsBoundBodies checks that another body is refused while the maximum of different ones is in flight, that
// more replies with these bodies are not, and that after a second the oldest reply makes place.
func TestFlightsBoundBodies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFlights(10, 2)
		one, two, three := new(cutWriter), new(cutWriter), new(cutWriter)
		endOne, ok1 := f.begin("one", one)
		end, ok2 := f.begin("two", two)
		endAgain, again := f.begin("one", one)
		if _, third := f.begin("three", three); !ok1 || !ok2 || !again || third {
			t.Errorf("accepted: %t, %t, %t; a third body: %t", ok1, ok2, again, third)
		}
		end()
		if end, third := f.begin("three", three); !third {
			t.Error("refused after a body has been sent")
		} else {
			end()
		}
		endAgain()
		time.Sleep(flightTime / 2)
		_, _ = f.begin("two", two)
		time.Sleep(flightTime / 2)
		if _, third := f.begin("three", three); !third || !one.cut || two.cut || three.cut {
			t.Errorf("a third body after a second: %t; cut off: %t, %t, %t", third, one.cut, two.cut, three.cut)
		}
		endOne()
		if len(f.flying) != 2 {
			t.Errorf("%d replies in flight", len(f.flying))
		}
	})
}
