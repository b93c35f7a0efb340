package rest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// event is a server-sent event.
type event struct{ name, data string }

// eventStream reads server-sent events as the HTML standard defines.
type eventStream struct {
	io.Closer
	lines   *bufio.Reader
	retry   string
	comment int // number of comments
}

// next returns the next event.
func (s *eventStream) next(t *testing.T) event {
	t.Helper()
	e, err := s.read()
	if err != nil {
		t.Fatalf("the stream ended: %v", err)
	}
	return e
}

func (s *eventStream) read() (e event, err error) {
	var data []string
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return event{}, err
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && e.name != "":
			e.data = strings.Join(data, "\n")
			return e, nil
		case strings.Contains(line, "\r"):
			return event{}, fmt.Errorf("a carriage return ends the line %q", line)
		case field == "event":
			e.name = value
		case field == "data":
			data = append(data, value)
		case field == "retry":
			s.retry = value
		case field == "" && line != "":
			s.comment++
		}
	}
}

// awaitPage reads events until a page contains the text.
func (s *eventStream) awaitPage(t *testing.T, text string) {
	t.Helper()
	for {
		if e := s.next(t); e.name == "page" && strings.Contains(e.data, text) {
			return
		}
	}
}

// open requests the stream. Any reply is accepted.
func (r *runningServer) open(t *testing.T, method string) *http.Response {
	t.Helper()
	return r.openPath(t, method, eventsPath)
}

// openPath requests the stream at a path.
func (r *runningServer) openPath(t *testing.T, method, path string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.origin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func (r *runningServer) openStream(t *testing.T) *eventStream {
	t.Helper()
	answer := r.open(t, "GET")
	if answer.StatusCode != 200 {
		t.Fatalf("the stream answers %s", answer.Status)
	}
	return newEventStream(answer)
}

func newEventStream(answer *http.Response) *eventStream {
	return &eventStream{Closer: answer.Body, lines: bufio.NewReader(answer.Body)}
}

// openStreams returns the number of open streams that the server counts.
func (r *runningServer) openStreams(t *testing.T) float64 {
	t.Helper()
	return r.scrape(t)["signal_page_listeners"].GetMetric()[0].GetGauge().GetValue()
}

// awaitStreams waits until the server counts this number of streams.
func (r *runningServer) awaitStreams(t *testing.T, want float64) {
	t.Helper()
	limit := time.After(bound)
	for {
		got := r.openStreams(t)
		if got == want {
			return
		}
		select {
		case <-limit:
			t.Fatalf("%v listen, want %v", got, want)
		default:
		}
	}
}

// TestEvents checks that a client gets the page at once, and again at each change.
func TestEvents(t *testing.T) {
	t.Parallel()
	r := startServer(t, setup{})
	answer := r.open(t, "GET")
	for header, want := range map[string]string{
		"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "X-Accel-Buffering": "no",
	} {
		if got := answer.Header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	s := newEventStream(answer)
	clock := s.next(t)
	now, build, _ := strings.Cut(clock.data, " ")
	millis, err := strconv.ParseInt(now, 10, 64)
	if age := time.Since(time.UnixMilli(millis)); err != nil || clock.name != "clock" || build != loadAssets().build ||
		age < -time.Second || age > bound {
		t.Errorf("the clock says %q", clock)
	}
	if s.retry != "2000" {
		t.Errorf("retry: %q", s.retry)
	}
	s.awaitPage(t, "No verdict yet")
	for _, state := range []struct{ name, text string }{
		{"up", "<h1>Up</h1>"}, {"drain-grace", "<h1>Draining</h1>"}, {"down", "<h1>Down</h1>"}, {"census good",
			"<h1>Down</h1>"},
	} {
		r.node.enter(t, state.name)
		s.awaitPage(t, state.text)
	}
}

// TestEventIsThePage checks that an event has the same content as the page.
func TestEventIsThePage(t *testing.T) {
	r := startServer(t, setup{})
	r.node.enter(t, "up")
	s := r.openStream(t)
	s.next(t)
	page := s.next(t).data
	if !strings.Contains(r.ask(t, "GET", "/").body, page[:strings.Index(page, `<section id="charts"`)]) ||
		!strings.Contains(page, `<section id="changes"`) {
		t.Errorf("the page does not have the event's\n%s", page)
	}
}

// TestStreamsAreBounded checks that the 65th stream gets a 503 with Retry-After, and can be opened when another one
// ends.
func TestStreamsAreBounded(t *testing.T) {
	r := startServer(t, setup{})
	r.node.enter(t, "up")
	streams := make([]*eventStream, maxStreams)
	for i := range streams {
		streams[i] = r.openStream(t)
	}
	for _, s := range streams {
		s.awaitPage(t, "<h1>Up</h1>")
	}
	r.awaitStreams(t, 64)
	for _, method := range []string{"GET", "HEAD"} {
		answer := r.open(t, method)
		if answer.StatusCode != 503 || answer.Header.Get("Retry-After") != "10" {
			t.Errorf("%s of the 65th: %s, Retry-After: %q", method, answer.Status, answer.Header.Get("Retry-After"))
		}
		answer.Body.Close()
	}
	r.node.enter(t, "drain")
	for _, s := range streams {
		s.awaitPage(t, "<h1>Draining</h1>")
	}
	streams[0].Close()
	r.awaitStreams(t, 63)
	r.openStream(t).awaitPage(t, "<h1>Draining</h1>")
}

// TestHeadOfEvents checks that a HEAD request gets its reply at once, and does not count as a stream.
func TestHeadOfEvents(t *testing.T) {
	r := startServer(t, setup{})
	got := r.ask(t, "HEAD", eventsPath)
	if got.code != 200 || got.body != "" || got.header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Errorf("%d %v", got.code, got.header)
	}
	r.awaitStreams(t, 0)
}

// TestShutdownEndsStreams checks that streams end at once, without using up the time for requests in flight.
func TestShutdownEndsStreams(t *testing.T) {
	r := startServer(t, setup{})
	var ended sync.WaitGroup
	for range 10 {
		s := r.openStream(t)
		s.next(t)
		ended.Go(func() {
			for {
				if _, err := s.read(); err != nil {
					if err != io.EOF {
						t.Errorf("the stream was cut off: %v", err)
					}
					return
				}
			}
		})
	}
	if err := r.stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	ended.Wait()
}

// pipes is a listener whose connections are pipes in memory, so that a server can run under virtual time.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.ended) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// listenVirtually runs a server under virtual time and calls listen with one of its streams.
func listenVirtually(t *testing.T, listen func(t *testing.T, n *node, conn net.Conn, s *eventStream)) {
	synctest.Test(t, func(t *testing.T) {
		n, p := newNode(false), &pipes{conns: make(chan net.Conn), ended: make(chan struct{})}
		server, err := New(Options{
			Listeners: []net.Listener{p}, Source: n, History: history.New(),
			MeterProvider: noop.NewMeterProvider(), Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- server.Run(ctx) }()
		defer func() {
			began := time.Now()
			stop()
			if err := <-ended; err != nil {
				t.Errorf("Run returned %v", err)
			}
			if took := time.Since(began); took > shutdownTime {
				t.Errorf("the shutdown took %s", took)
			}
		}()
		ours, theirs := net.Pipe()
		p.conns <- theirs
		defer ours.Close()
		_, _ = io.WriteString(ours, "GET /signal/events HTTP/1.1\r\nHost: node\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(ours), nil)
		if err != nil {
			t.Fatal(err)
		}
		listen(t, n, ours, &eventStream{Closer: ours, lines: bufio.NewReader(answer.Body)})
	})
}

// TestHeartbeat checks that an idle stream gets a comment and the time every 5 s, far beyond the time limit of other
// replies.
func TestHeartbeat(t *testing.T) {
	listenVirtually(t, func(t *testing.T, _ *node, _ net.Conn, s *eventStream) {
		s.next(t)
		s.next(t)
		last := time.Now()
		for i := range 100 {
			e := s.next(t)
			if e.name != "clock" || s.comment != i+1 || time.Since(last) != heartbeatTime {
				t.Fatalf("heartbeat %d: %v after %s, %d comments", i, e, time.Since(last), s.comment)
			}
			last = time.Now()
		}
	})
}

// TestRoundIsOneEvent checks that simultaneous observations are sent as one event, a tenth of a second later.
func TestRoundIsOneEvent(t *testing.T) {
	listenVirtually(t, func(t *testing.T, n *node, _ net.Conn, s *eventStream) {
		s.next(t)
		s.next(t)
		began := time.Now()
		n.enter(t, "up") // three observations
		s.next(t)
		if e := s.next(t); e.name != "page" || !strings.Contains(e.data, "<h1>Up</h1>") || time.Since(began) != coalesceTime {
			t.Errorf("after %s: %s", time.Since(began), e.data)
		}
		if e := s.next(t); e.name != "clock" || time.Since(began) != coalesceTime+heartbeatTime {
			t.Errorf("after %s: %s", time.Since(began), e.name)
		}
	})
}

// TestSlowClientIsDisconnected checks that a client that does not read loses its connection, and that observations do
// not wait for it.
func TestSlowClientIsDisconnected(t *testing.T) {
	listenVirtually(t, func(t *testing.T, n *node, conn net.Conn, s *eventStream) {
		s.next(t)
		s.next(t)
		began := time.Now()
		n.enter(t, "up")
		if took := time.Since(began); took != 0 {
			t.Errorf("an observation waited %s", took)
		}
		time.Sleep(coalesceTime + eventTime + time.Millisecond) // virtual time
		synctest.Wait()
		if _, err := conn.Write([]byte("x")); err != io.ErrClosedPipe {
			t.Errorf("still connected: %v", err)
		}
	})
}

// TestManyObservations checks that a client gets at most ten events per second, whatever the rate of observations.
func TestManyObservations(t *testing.T) {
	listenVirtually(t, func(t *testing.T, n *node, _ net.Conn, s *eventStream) {
		s.next(t)
		s.next(t)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for ctx.Err() == nil {
				n.observe(prosody(answered200))
				time.Sleep(time.Millisecond) // virtual time
			}
		}()
		began := time.Now()
		for range 50 {
			s.next(t)
			s.next(t)
		}
		if took := time.Since(began); took < 50*coalesceTime || took > 51*coalesceTime+10*time.Millisecond {
			t.Errorf("50 events took %s", took)
		}
		stop()
		<-ended
	})
}

// TestNextIsTold checks that the page changes at its deadline without a new observation.
func TestNextIsTold(t *testing.T) {
	listenVirtually(t, func(t *testing.T, n *node, _ net.Conn, s *eventStream) {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- n.Run(ctx) }()
		began := time.Now()
		for _, o := range append(append([]health.Observation{}, states["up"]...), states["drain-grace"]...) {
			o.At = began
			n.Observe(ctx, o)
		}
		s.awaitPage(t, "<h1>Draining</h1>")
		s.awaitPage(t, "<h1>Down</h1>")
		if took := time.Since(began); took != 120*time.Second+coalesceTime {
			t.Errorf("the page changed after %s", took)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// laterStale is a SelfWatch whose verdict is out of date from a moment on.
type laterStale struct{ from time.Time }

func (w laterStale) Stale(now time.Time) bool { return !now.Before(w.from) }
func (w laterStale) Stalled(now time.Time) error {
	if w.Stale(now) {
		return errors.New("the last poll of prosody ended 20s ago")
	}
	return nil
}

// TestStaleVerdictIsSent checks that an open page shows within a heartbeat that the verdict is out of date, although
// nothing new is observed.
func TestStaleVerdictIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(false)
		n.enter(t, "up")
		p := &page{source: n, history: history.New(), watch: laterStale{time.Now().Add(12 * time.Second)}}
		ctx, end := context.WithCancel(t.Context())
		w := &streamRecorder{ResponseRecorder: httptest.NewRecorder()}
		var feeding sync.WaitGroup
		feeding.Go(func() { p.feed(ctx, stream{w, http.NewResponseController(w)}) })
		shown := func(text string, after time.Duration) {
			time.Sleep(after) // virtual time
			synctest.Wait()
			sent := w.body.String()
			if last := sent[strings.LastIndex(sent, "event: page"):]; !strings.Contains(last, text) {
				t.Errorf("not shown: %s\n%s", text, last)
			}
		}
		shown("<h1>Up</h1>", 11*time.Second)
		shown("verdict: the last poll of prosody ended 20s ago. HAProxy", heartbeatTime)
		end()
		feeding.Wait()
	})
}

// streamRecorder is a ResponseRecorder that accepts deadlines and whose body can be read while it is written.
type streamRecorder struct {
	*httptest.ResponseRecorder
	body testbed.LogBuffer
}

func (*streamRecorder) SetWriteDeadline(time.Time) error { return nil }

func (r *streamRecorder) Write(b []byte) (int, error) { return r.body.Write(b) }
