package collector

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
)

// httpCollectors are those that hear of hang-ups, and which of the node's services each asks.
var httpCollectors = map[string]struct {
	open    func(origin string, o Options) (Collector, error)
	service func(*signalnode.Node) *signalnode.Service
}{
	"jicofo":  {NewJicofo, func(n *signalnode.Node) *signalnode.Service { return n.Jicofo }},
	"prosody": {NewProsody, func(n *signalnode.Node) *signalnode.Service { return n.Prosody }},
	"census": {func(origin string, o Options) (Collector, error) { return NewCensus(origin, "", o) },
		func(n *signalnode.Node) *signalnode.Service { return n.Prosody }},
}

// refused reports whether nobody listened.
func refused(o health.Observation) bool {
	switch {
	case o.Jicofo != nil:
		return o.Jicofo.Health.Failure == health.FailureRefused && o.Jicofo.Stats.Failure == health.FailureRefused
	case o.Prosody != nil:
		return o.Prosody.Health.Failure == health.FailureRefused
	default:
		return o.Census.Answer.Failure == health.FailureRefused
	}
}

// TestHangupOfCrash sees each crash at once, though the next poll is an hour away.
func TestHangupOfCrash(t *testing.T) {
	const crashes = 24
	for name, c := range httpCollectors {
		t.Run(name, func(t *testing.T) {
			took := make([]time.Duration, crashes)
			for i := range took {
				node, r := startNode(t), newRig(t)
				stop := r.run(c.open(c.service(node).Origin(), r.options))
				if first := r.next(); refused(first.Observation) || first.Trigger != health.TriggerTick {
					t.Fatalf("at first: %s, trigger %s", show(first.Observation), first.Trigger)
				}
				begin := time.Now()
				behave(t, c.service(node), "", "crash")
				got := r.next()
				took[i] = got.At.Sub(begin)
				if !refused(got.Observation) || got.Trigger != health.TriggerHangup {
					t.Errorf("saw %s, trigger %s", show(got.Observation), got.Trigger)
				}
				stop()
				if poll := spansNamed(r, "poll "+name); len(poll) != 2 || attributeOf(poll[1], "signal.trigger") != "hangup" {
					t.Errorf("%d polls; the second should say that a hang-up was its trigger", len(poll))
				}
				r.quiet()
			}
			slices.Sort(took)
			t.Logf("from crash to observation: p50 %s, p99 %s", took[crashes/2], took[crashes-1])
		})
	}
}

// TestHangupByReset takes a connection that is reset like one that is closed.
func TestHangupByReset(t *testing.T) {
	idle := make(chan net.Conn, 10)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateIdle {
			idle <- c
		}
	}
	s.Start()
	defer s.Close()
	r := newRig(t)
	stop := r.run(NewProsody(s.URL, r.options))
	defer stop()
	r.next()
	conn := <-idle
	_ = conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
	if got := r.next(); got.Trigger != health.TriggerHangup || !got.Prosody.Healthy() {
		t.Errorf("saw %s, trigger %s", show(got.Observation), got.Trigger)
	}
}

// TestHangupOfRestart sees the service go, come back, and go again.
func TestHangupOfRestart(t *testing.T) {
	node, r := startNode(t), newRig(t)
	r.options.Recovery = 10 * ms
	r.run(NewJicofo(node.Jicofo.Origin(), r.options))
	r.next()
	for range 2 {
		behave(t, node.Jicofo, "", "crash")
		if got := r.next(); got.Trigger != health.TriggerHangup || !refused(got.Observation) {
			t.Fatalf("after the crash: %s, trigger %s", show(got.Observation), got.Trigger)
		}
		if err := node.Jicofo.Recover(); err != nil {
			t.Fatal(err)
		}
		for got := r.next(); !got.Jicofo.Healthy(); got = r.next() {
			if got.Trigger != health.TriggerRecovery {
				t.Fatalf("after the recovery: %s, trigger %s", show(got.Observation), got.Trigger)
			}
		}
	}
}

// TestHangupOverTLS hears the close_notify with which TLS announces an end.
func TestHangupOverTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK") }))
	s.Config.ErrorLog = silent
	s.StartTLS()
	defer s.Close()
	h := newHangups()
	l := h.newLine()
	transport := &http.Transport{DialContext: l.watched(new(net.Dialer).DialContext), TLSClientConfig: s.Client().Transport.(*http.Transport).TLSClientConfig}
	defer transport.CloseIdleConnections()
	for range 2 {
		req, err := http.NewRequestWithContext(l.begin(t.Context()), http.MethodGet, s.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if l.end(res.StatusCode); h.pending() {
			t.Fatal("a hang-up without one")
		}
	}
	s.CloseClientConnections()
	select {
	case <-h.alarm:
	case <-time.After(bound):
		t.Fatal("no alarm")
	}
	if !h.pending() {
		t.Error("the alarm is not pending")
	}
}

// TestHangupAtShutdown lets go of the connections without an alarm.
func TestHangupAtShutdown(t *testing.T) {
	for name, c := range httpCollectors {
		t.Run(name, func(t *testing.T) {
			node, r := startNode(t), newRig(t)
			made, err := c.open(c.service(node).Origin(), r.options)
			stop := r.run(made, err)
			r.next()
			stop()
			if h := made.(*poller).hangups; h.pending() || len(h.alarm) > 0 {
				t.Error("the collector's own close was taken for a hang-up")
			}
			r.quiet()
		})
	}
}

// times lets virtual time pass, and returns when each poll was over since the start, and what its trigger was.
func (r *rig) times(start time.Time, d time.Duration) (all []string) {
	time.Sleep(d) // virtual
	synctest.Wait()
	for {
		select {
		case s := <-r.seen:
			all = append(all, fmt.Sprint(s.At.Sub(start), " ", s.Trigger))
		default:
			return all
		}
	}
}

func expectTimes(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("polls:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// answerAll is an answer with which each collector is content.
func answerAll(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"participants":1,"conferences":1}`)
}

// TestHangupIdleTimeout learns the idle timeout of a server from one false alarm.
func TestHangupIdleTimeout(t *testing.T) {
	for name, c := range httpCollectors {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, r := serveVirtual(t, &http.Server{Handler: http.HandlerFunc(answerAll), IdleTimeout: 30 * time.Second}), newRig(t)
				r.options.Dial, r.options.Interval = v.dial, time.Minute
				defer r.run(c.open(origin, r.options))()
				expectTimes(t, r.times(v.start, 5*time.Minute), "0s tick", "30s hangup", "1m30s tick", "2m30s tick", "3m30s tick", "4m30s tick")
			})
		})
	}
}

// raw answers with bytes as they are, then with others after a time, and closes the connection.
func raw(answer string, wait time.Duration, last string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, answer)
		time.AfterFunc(wait, func() {
			_, _ = io.WriteString(conn, last)
			conn.Close()
		})
	}
}

// keptAnswer leaves the connection open, by what it says.
const keptAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

// TestHangupThatIsNone takes the end of a connection that was not to be kept for what it is, and that of one whose server
// never keeps one, without saying so, once for a hang-up.
func TestHangupThatIsNone(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    []string
	}{
		{"Connection: close", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }, nil},
		{"HTTP/1.0", raw("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 0, ""), nil},
		{"HTTP/1.0, closed late", raw("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", time.Second, ""), nil},
		{"HTTP/1.0 without a length", raw("HTTP/1.0 200 OK\r\n\r\n{}", 0, ""), nil},
		{"body to the end of the connection", raw("HTTP/1.1 200 OK\r\n\r\n{}", ms, ""), nil},
		{"closed at once without a word", raw(keptAnswer, 0, ""), []string{"0s hangup"}},
		{"closed soon without a word", raw(keptAnswer, 50*ms, ""), []string{"50ms hangup"}},
		{"closed with 408", raw(keptAnswer, 20*time.Second, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"), []string{"20s hangup"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, r := newVirtual(t, tt.handler), newRig(t)
				r.options.Dial, r.options.Interval = v.dial, time.Minute
				defer r.run(NewProsody(origin, r.options))()
				got := r.times(v.start, 5*time.Minute)
				hangups := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return strings.HasSuffix(s, " tick") })
				if !slices.Equal(hangups, tt.want) || len(got)-len(hangups) < 5 {
					t.Errorf("polls: %v; want the ticks and %v", got, tt.want)
				}
			})
		})
	}
}

// TestHangupBound polls at most once a second for hang-ups, whatever the service does; none is forgotten.
func TestHangupBound(t *testing.T) {
	for name, c := range httpCollectors {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n atomic.Int64
				handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(200 + int(n.Add(1)%97)) // so that each poll is news, and nothing can be learned
				})
				v, r := serveVirtual(t, &http.Server{Handler: handler, IdleTimeout: 10 * ms}), newRig(t)
				r.options.Dial = v.dial
				defer r.run(c.open(origin, r.options))()
				want := []string{"0s tick"}
				for i := range 60 {
					want = append(want, fmt.Sprint(10*ms+time.Duration(i)*time.Second, " hangup"))
				}
				expectTimes(t, r.times(v.start, time.Minute), want...)
			})
		})
	}
}

// TestHangupRestartInNoTime forgets what a restart that nobody missed made it believe: a connection that is idle for
// longer, and good, shows that it was no idle timeout.
func TestHangupRestartInNoTime(t *testing.T) {
	for name, c := range httpCollectors {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, r := newVirtual(t, answerAll), newRig(t)
				r.options.Dial, r.options.Interval = v.dial, 5*time.Second
				defer r.run(c.open(origin, r.options))()
				expectTimes(t, r.times(v.start, 2*time.Second), "0s tick")
				v.hangUp() // two connections, one poll
				expectTimes(t, r.times(v.start, 2*time.Second), "2s hangup")
				v.hangUp() // after as long
				expectTimes(t, r.times(v.start, 10*time.Second), "7s tick", "12s tick")
				v.hangUp() // after as long, but a connection was good for 5 s
				expectTimes(t, r.times(v.start, time.Second), "14s hangup")
			})
		})
	}
}

// TestHangupWhileTheOtherProbeRuns is not lost: what was answered already is asked again.
func TestHangupWhileTheOtherProbeRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, r := newVirtual(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stats" {
				pause(r, 2*time.Second)
			}
			answerAll(w, r)
		}), newRig(t)
		r.options.Dial = v.dial
		defer r.run(NewJicofo(origin, r.options))()
		expectTimes(t, r.times(v.start, time.Second))
		v.hangUp() // on the connection of the health probe, which has its answer
		expectTimes(t, r.times(v.start, time.Minute), "2s tick", "4s hangup")
	})
}

// TestHangupOfAbandonedConnection does not care for a connection that the latest poll had no use for.
func TestHangupOfAbandonedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		v, r := newVirtual(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Host == "elsewhere.example":
				raw(keptAnswer, 70*time.Second, "")(w, r)
			case n.Add(1) == 1:
				http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
			}
		}), newRig(t)
		r.options.Dial, r.options.Interval = v.dial, time.Minute
		defer r.run(NewProsody(origin, r.options))()
		expectTimes(t, r.times(v.start, 90*time.Second), "0s tick", "1m0s tick")
		v.hangUp()
		expectTimes(t, r.times(v.start, time.Second), "1m30s hangup")
	})
}

// kept is a connection that a line's latest ask went over, and that rests now; gone makes its peer go away.
func kept(t *testing.T, l *line) (gone func()) {
	t.Helper()
	near, far := net.Pipe()
	c, err := l.watched(func(context.Context, string, string) (net.Conn, error) { return near, nil })(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	l.begin(t.Context())
	l.take(c)
	l.rest(nil)
	return func() { // with what net/http does then
		far.Close()
		_, _ = c.Read(make([]byte, 1))
		c.Close()
		c.Close()
	}
}

// TestHangupIsAnsweredByAsking: an ask that began later makes a hang-up old news, whether it was heard before or not.
func TestHangupIsAnsweredByAsking(t *testing.T) {
	h := newHangups()
	first, second := h.newLine(), h.newLine()
	gone, goneToo := kept(t, first), kept(t, second)
	first.end(200)
	second.end(200)
	gone()
	if !h.pending() {
		t.Fatal("the first hang-up is not pending")
	}
	first.begin(t.Context())
	second.begin(t.Context())
	if goneToo(); h.pending() {
		t.Error("pending, though both have been asked")
	}
}

// TestHangupBeforeTheAnswerIsRead is that of a server which never keeps a connection, and hangs up so early that the ask
// is still under way: the second of them says what the first did.
func TestHangupBeforeTheAnswerIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHangups()
		l := h.newLine()
		for i, want := range []bool{true, false, false} {
			kept(t, l)()
			if l.end(200); h.pending() != want {
				t.Errorf("ask %d: pending %t", i+1, !want)
			}
		}
	})
}

func TestPatience(t *testing.T) {
	const s = time.Second
	none, short, long := patience{}, patience{true, 0}, patience{true, 30 * s}
	for _, tt := range []struct {
		patience           patience
		idle               time.Duration
		explains, outlived bool
	}{
		{none, 0, false, false}, {none, time.Hour, false, false},
		{short, 0, true, false}, {short, 100 * ms, true, false}, {short, 101 * ms, false, true},
		{long, 0, false, false}, {long, 26 * s, false, false}, {long, 27 * s, true, false}, {long, 30 * s, true, false},
		{long, 33 * s, true, false}, {long, 34 * s, true, true}, {long, 63 * s, true, true}, {long, 64 * s, false, true},
	} {
		if e, o := tt.patience.explains(tt.idle), tt.patience.outlived(tt.idle); e != tt.explains || o != tt.outlived {
			t.Errorf("%+v after %s: explains %t, outlived %t", tt.patience, tt.idle, e, o)
		}
	}
}
