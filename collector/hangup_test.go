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
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
)

// httpCollectors are the collectors that detect hang-ups, and the service of the node that each polls.
var httpCollectors = map[string]struct {
	open    func(origin string, o Options) (Collector, error)
	service func(*signalnode.Node) *signalnode.Service
}{
	"jicofo":  {NewJicofo, func(n *signalnode.Node) *signalnode.Service { return n.Jicofo }},
	"prosody": {NewProsody, func(n *signalnode.Node) *signalnode.Service { return n.Prosody }},
	"census": {func(origin string, o Options) (Collector, error) { return NewCensus(origin, "", o) },
		func(n *signalnode.Node) *signalnode.Service { return n.Prosody }},
}

// refused reports whether all connections were refused.
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

// TestHangupOfCrash checks that each crash is observed at once, although the next poll is an hour away.
func TestHangupOfCrash(t *testing.T) {
	t.Parallel()
	const crashes = 24
	for name, c := range httpCollectors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
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
				for got.At.Before(begin) { // on a loaded machine the connection of the first poll may not be kept
					got = r.next()
				}
				took[i] = got.At.Sub(begin)
				if !refused(got.Observation) || got.Trigger != health.TriggerHangup {
					t.Errorf("saw %s, trigger %s", show(got.Observation), got.Trigger)
				}
				stop()
				polls := spansNamed(r, "poll "+name)
				if last := polls[len(polls)-1]; len(polls) < 2 || attributeOf(last, "signal.trigger") != "hangup" {
					t.Errorf("%d polls; the last should have a hang-up as its trigger", len(polls))
				}
				r.quiet()
			}
			slices.Sort(took)
			t.Logf("from crash to observation: p50 %s, p99 %s", took[crashes/2], took[crashes-1])
		})
	}
}

// TestHangupByReset checks that a reset connection is treated like a closed one.
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

// TestHangupOfRestart observes a service that stops, starts again, and stops again.
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

// TestHangupOverTLS checks that the close_notify before the end of a TLS connection counts as a hang-up.
func TestHangupOverTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "OK")
	}))
	s.Config.ErrorLog = silent
	s.StartTLS()
	defer s.Close()
	r := newRig(t)
	p := probeOf(t, r, s.URL)
	p.connections.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig
	defer p.connections.close()
	for range 2 {
		if a, _, _ := p.run(t.Context(), anyBody); !a.OK() {
			t.Fatalf("answer = %+v", a)
		}
		if len(p.connections.hangups) > 0 {
			t.Fatal("a hang-up without one")
		}
	}
	s.CloseClientConnections()
	select {
	case <-p.connections.hangups:
	case <-time.After(bound):
		t.Fatal("the hang-up is not reported")
	}
}

// probeOf returns a probe of an address. It belongs to no collector.
func probeOf(t *testing.T, r *rig, address string) *httpProbe {
	t.Helper()
	in, err := newInstruments(r.options)
	if err != nil {
		t.Fatal(err)
	}
	return newHTTPProbe("prosody", address, healthLimit, r.options, in, newHangups())
}

// TestHangupAtShutdown checks that closing the connections at shutdown is not reported as a hang-up.
func TestHangupAtShutdown(t *testing.T) {
	for name, c := range httpCollectors {
		t.Run(name, func(t *testing.T) {
			node, r := startNode(t), newRig(t)
			made, err := c.open(c.service(node).Origin(), r.options)
			stop := r.run(made, err)
			r.next()
			stop()
			if len(made.(*poller).hangups) > 0 {
				t.Error("the collector's own close was taken for a hang-up")
			}
			r.quiet()
		})
	}
}

// times lets virtual time pass, and returns the end of each poll, measured from the start, with its trigger.
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

// answerAll sends a reply that each collector accepts.
func answerAll(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"participants":1,"conferences":1}`)
}

// TestHangupIdleTimeout checks that there is one more poll after each idle timeout of a server.
func TestHangupIdleTimeout(t *testing.T) {
	for name, c := range httpCollectors {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, r := serveVirtual(t,
					&http.Server{Handler: http.HandlerFunc(answerAll), IdleTimeout: 30 * time.Second}), newRig(t)
				r.options.Dial, r.options.Interval = v.dial, time.Minute
				defer r.run(c.open(origin, r.options))()
				expectTimes(t, r.times(v.start, 149*time.Second), "0s tick", "30s hangup", "1m0s hangup", "1m30s hangup",
					"2m0s hangup")
			})
		})
	}
}

// raw sends the bytes of answer unchanged, then those of last after a time, and closes the connection.
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

// keptAnswer is a reply after which the connection stays open.
const keptAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

// lateWrite is a connection whose first Write returns late, as when its goroutine gets no CPU time.
type lateWrite struct {
	net.Conn
	once sync.Once
}

func (c *lateWrite) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.once.Do(func() { time.Sleep(60 * ms) }) // virtual
	return n, err
}

// TestHangupAfterUnkeptConnection checks that a crash is observed at once although net/http did not keep the connection
// of the first poll, because its goroutine got no CPU time. The next poll follows at once.
func TestHangupAfterUnkeptConnection(t *testing.T) {
	for name, c := range httpCollectors {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, r := newVirtual(t, answerAll), newRig(t)
				var late atomic.Bool
				r.options.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := v.dial(ctx, network, address)
					if err != nil || time.Since(v.start) > 0 {
						return conn, err
					}
					late.Store(true)
					return &lateWrite{Conn: conn}, nil
				}
				defer r.run(c.open(origin, r.options))()
				expectTimes(t, r.times(v.start, 10*time.Second), "50ms tick", "50ms hangup")
				v.hangUp()
				expectTimes(t, r.times(v.start, time.Second), "10s hangup")
				if !late.Load() {
					t.Error("no write was late")
				}
			})
		})
	}
}

// TestHangupAfterUnusedConnection checks that a crash is observed at once after a poll whose connection net/http
// closed, because it kept another one that no request has used. The dial of the first poll outlasts that poll, and
// serves the second one; the dial of the second poll ends while its request is answered.
func TestHangupAfterUnusedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, r := newVirtual(t, func(w http.ResponseWriter, r *http.Request) {
			pause(r, 300*ms)
			answerAll(w, r)
		}), newRig(t)
		r.options.Timeout, r.options.Recovery = time.Second, time.Second
		r.options.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if time.Since(v.start) < time.Second {
				time.Sleep(900 * ms)
			}
			time.Sleep(600 * ms)
			return v.dial(ctx, network, address)
		}
		defer r.run(NewProsody(origin, r.options))()
		expectTimes(t, r.times(v.start, time.Minute), "1s tick", "1.8s recovery", "2.1s hangup")
		v.hangUp()
		expectTimes(t, r.times(v.start, time.Second), "1m0.9s hangup")
	})
}

// TestHangupThatIsNone checks that the end of a connection that was not to be kept is no hang-up. A server that closes
// connections without announcement is polled once more each time, at most once per second.
func TestHangupThatIsNone(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    []string // within two seconds, after the poll at 0s
	}{
		{"Connection: close", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }, nil},
		{"HTTP/1.0", raw("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 0, ""), nil},
		{"HTTP/1.0, closed late", raw("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", time.Second, ""), nil},
		{"HTTP/1.0 without a length", raw("HTTP/1.0 200 OK\r\n\r\n{}", 0, ""), nil},
		{"body to the end of the connection", raw("HTTP/1.1 200 OK\r\n\r\n{}", ms, ""), nil},
		{"closed at once, not announced", raw(keptAnswer, 0, ""), []string{"0s hangup", "1s hangup"}},
		{"closed soon, not announced", raw(keptAnswer, 50*ms, ""), []string{"50ms hangup", "1.05s hangup"}},
		{"closed with 408", raw(keptAnswer, 700*ms, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"),
			[]string{"700ms hangup", "1.7s hangup"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, r := newVirtual(t, tt.handler), newRig(t)
				r.options.Dial, r.options.Interval = v.dial, time.Minute
				defer r.run(NewProsody(origin, r.options))()
				got := r.times(v.start, 1999*ms)
				if len(got) == 0 || !slices.Equal(got[1:], tt.want) {
					t.Errorf("polls: %v; want one at 0s and %v", got, tt.want)
				}
			})
		})
	}
}

// TestHangupBound checks that hang-ups cause at most one poll per second, and that none is lost.
func TestHangupBound(t *testing.T) {
	for name, c := range httpCollectors {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n atomic.Int64
				handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(200 + int(n.Add(1)%97)) // so that each poll has another result
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

// TestHangupWhileTheOtherProbeRuns checks that the hang-up is not lost: the probe that had finished runs again.
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
		v.hangUp() // on the connection of the health probe, which has its reply
		expectTimes(t, r.times(v.start, time.Minute), "2s tick", "4s hangup")
	})
}

// TestConnectionAge checks that no connection is used for longer than a minute, and that closing it is no hang-up.
func TestConnectionAge(t *testing.T) {
	for name, c := range httpCollectors {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, r := newVirtual(t, answerAll), newRig(t)
				r.options.Dial, r.options.Interval = v.dial, 25*time.Second
				defer r.run(c.open(origin, r.options))()
				expectTimes(t, r.times(v.start, 3*time.Minute),
					"0s tick", "25s tick", "50s tick", "1m15s tick", "1m40s tick", "2m5s tick", "2m30s tick", "2m55s tick")
				want := []time.Duration{0, 75 * time.Second, 150 * time.Second}
				if got := slices.Compact(v.dialed()); !slices.Equal(got, want) {
					t.Errorf("connections opened at %v, want %v", got, want)
				}
			})
		})
	}
}

// TestServiceMoves checks that the collector follows a service to another address while the old one still replies.
func TestServiceMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, after := newVirtual(t, answerAll), newVirtual(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
		})
		moved, r := new(atomic.Bool), newRig(t)
		r.options.Interval = 5 * time.Second
		r.options.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if moved.Load() {
				return after.dial(ctx, network, address)
			}
			return before.dial(ctx, network, address)
		}
		defer r.run(NewProsody(origin, r.options))()
		r.next()
		moved.Store(true)
		for r.next().Prosody.Healthy() {
		}
		if took := time.Since(before.start); took > time.Minute {
			t.Errorf("noticed after %s", took)
		}
	})
}
