package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/signal-sidecar/signal-sidecar/health"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// holdForEver sets up a held port that replies only after a change, also shortly after another change.
func holdForEver(change ...func(*Agent)) setup {
	return setup{config: rules, hold: time.Hour, change: func(a *Agent) {
		a.freshTime = 0
		for _, also := range change {
			also(a)
		}
	}}
}

// dialHeld opens n connections. All of them are held when it returns.
func (r *runningAgent) dialHeld(t *testing.T, n int) []*net.TCPConn {
	t.Helper()
	before := len(r.waiting)
	conns := make([]*net.TCPConn, n)
	for i := range conns {
		conns[i] = r.dial(t)
	}
	r.waitForWaiting(t, before+n)
	return conns
}

func wantReplies(t *testing.T, conns []*net.TCPConn, want string) {
	t.Helper()
	for _, conn := range conns {
		if got := readReply(t, conn); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		conn.Close()
	}
}

// TestHeldHearsAChange checks that held connections get a reply at each change, and none after an observation without a
// change.
func TestHeldHearsAChange(t *testing.T) {
	r := startAgent(t, holdForEver())
	r.upReady()
	for range 3 {
		for _, change := range []struct{ word, line string }{
			{"drain", "up drain 0%\n"}, {"maint", "up maint 0%\n"}, {"unhealthy", "down drain 0%\n"},
		} {
			conns := r.dialHeld(t, 3)
			r.observed(jicofo(1))
			r.observed(prosody(200))
			conns = append(conns, r.dialHeld(t, 1)...) // it was accepted after those, and the others are still held
			r.observed(statusFile(change.word))
			wantReplies(t, conns, change.line)
			r.waitForWaiting(t, 0)
			r.observed(statusFile("ready"))
		}
	}
	r.waitForSockets(t, 0)
}

// TestHeldAnswersAfterHold checks that a connection gets its reply after the hold if nothing changes.
func TestHeldAnswersAfterHold(t *testing.T) {
	const hold = 50 * time.Millisecond
	r := startAgent(t, setup{config: rules, hold: hold, change: func(a *Agent) { a.freshTime = 0 }})
	r.upReady()
	for range 5 {
		began := time.Now()
		if got := r.check(t); got != "up ready 100%\n" {
			t.Errorf("got %q", got)
		}
		if held := time.Since(began); held < hold {
			t.Errorf("held for %s, want %s", held, hold)
		}
	}
}

// TestHeldOnlyShortlyWhileNotReady checks that the hold is short while the node is not ready: a HAProxy that has just
// been reloaded starts with every server up, and must soon get a reply that keeps traffic away.
func TestHeldOnlyShortlyWhileNotReady(t *testing.T) {
	for _, c := range []struct {
		line  string
		parts []health.Observation
	}{
		{"up drain 0%\n", []health.Observation{jicofo(0), prosody(200), statusFile("drain")}},
		{"up maint 0%\n", []health.Observation{jicofo(0), prosody(200), statusFile("maint")}},
		{"down ready 100%\n", []health.Observation{jicofo(0), prosody(500), statusFile("ready")}},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Parallel()
			r := startAgent(t, holdForEver())
			r.observed(c.parts...)
			began := time.Now()
			if got := r.check(t); got != c.line {
				t.Errorf("replied %q, want %q", got, c.line)
			}
			if held := time.Since(began); held < notReadyHold {
				t.Errorf("held for %s, want %s", held, notReadyHold)
			}
		})
	}
}

// TestHeldAnswersAtOnceAfterAChange checks that connections get their reply at once for the length of a hold after a
// change. The first verdict is a change too.
func TestHeldAnswersAtOnceAfterAChange(t *testing.T) {
	r := startAgent(t, setup{config: rules, hold: time.Hour})
	r.upReady()
	for _, change := range []struct{ word, line string }{
		{"ready", "up ready 100%\n"}, {"drain", "up drain 0%\n"}, {"ready", "up ready 100%\n"},
	} {
		r.observed(statusFile(change.word))
		for range 20 {
			if got := r.check(t); got != change.line {
				t.Errorf("got %q, want %q", got, change.line)
			}
		}
	}
}

// TestHeldHoldsAgain checks that connections are held again after that time.
func TestHeldHoldsAgain(t *testing.T) {
	r := startAgent(t,
		setup{config: rules, hold: time.Hour, change: func(a *Agent) { a.freshTime = 100 * time.Millisecond }})
	r.upReady()
	began := time.Now()
	testbed.Eventually(t, "a connection to be held", bound, func() bool {
		r.dial(t)
		return len(r.waiting) > 0
	})
	if after := time.Since(began); after < 100*time.Millisecond {
		t.Errorf("held %s after a change", after)
	}
}

// TestHeldMany opens 1,100 connections. 1,024 are held, and the others get the reply at once. All get the change.
func TestHeldMany(t *testing.T) {
	r := startAgent(t, holdForEver())
	r.upReady()
	const over = 76
	held := r.dialHeld(t, maxWaiting)
	for range over {
		conn := r.dial(t)
		wantReplies(t, []*net.TCPConn{conn}, "up ready 100%\n")
	}
	r.waitForWaiting(t, maxWaiting)
	r.observed(statusFile("drain"))
	wantReplies(t, held, "up drain 0%\n")
	r.waitForWaiting(t, 0)
	r.waitForSockets(t, 0)
}

// TestHeldPeersGone checks that the places and sockets of peers that are gone are free after the hold.
func TestHeldPeersGone(t *testing.T) {
	leave := map[string]func(*net.TCPConn){
		"closed":      func(c *net.TCPConn) { _ = c.Close() },
		"half-closed": func(c *net.TCPConn) { _ = c.CloseWrite() },
		"reset": func(c *net.TCPConn) {
			_ = c.SetLinger(0)
			_ = c.Close()
		},
		"reset with unread data": func(c *net.TCPConn) {
			_, _ = io.WriteString(c, "shard-1\n")
			_ = c.SetLinger(0)
			_ = c.Close()
		},
	}
	for name, act := range leave {
		for _, end := range []string{"deadline", "change"} {
			t.Run(name+" "+end, func(t *testing.T) {
				s := holdForEver()
				if end == "deadline" {
					s.hold = 200 * time.Millisecond
				}
				r := startAgent(t, s)
				r.upReady()
				conns := r.dialHeld(t, 20)
				for _, conn := range conns {
					act(conn)
				}
				if end == "change" {
					r.observed(statusFile("drain"))
				}
				r.waitForWaiting(t, 0)
				for _, conn := range conns {
					conn.Close()
				}
				r.waitForSockets(t, 0)
			})
		}
	}
}

// TestHeldPeerGetsTheReply checks that data from a held peer does not make it lose the reply, as on the ordinary port.
func TestHeldPeerGetsTheReply(t *testing.T) {
	for name, act := range peers {
		t.Run(name, func(t *testing.T) {
			r := startAgent(t, holdForEver())
			r.upReady()
			conn := r.dialHeld(t, 1)[0]
			acted := make(chan struct{})
			go func() { // it may block until the agent reads
				defer close(acted)
				act(t, conn)
			}()
			r.observed(statusFile("drain"))
			if got := readReply(t, conn); got != "up drain 0%\n" {
				t.Errorf("got %q", got)
			}
			<-acted
		})
	}
}

// TestHeldGetTheLineAtShutdown checks that held connections get the current reply at shutdown.
func TestHeldGetTheLineAtShutdown(t *testing.T) {
	r := startAgent(t, holdForEver())
	r.upReady()
	conns := r.dialHeld(t, 100)
	if err := r.stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	wantReplies(t, conns, "up ready 100%\n")
	if conn, err := net.Dial("tcp", r.address); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

// TestHeldBeforeTheFirstVerdict checks that connections wait for the first verdict, as on the ordinary port, and are
// closed without a reply if there is none.
func TestHeldBeforeTheFirstVerdict(t *testing.T) {
	t.Run("it comes", func(t *testing.T) {
		r := startAgent(t, holdForEver())
		conns := r.dialHeld(t, 50)
		r.observed(jicofo(0), prosody(200))
		conns = append(conns, r.dialHeld(t, 1)...)
		r.observed(statusFile("ready"))
		wantReplies(t, conns, "up ready 100%\n")
	})
	t.Run("it does not come in time", func(t *testing.T) {
		r := startAgent(t, holdForEver(func(a *Agent) { a.verdictWait = 50 * time.Millisecond }))
		wantReplies(t, []*net.TCPConn{r.dial(t)}, "")
	})
	t.Run("too many wait", func(t *testing.T) {
		r := startAgent(t, holdForEver(func(a *Agent) { a.waiting = make(chan struct{}, 5) }))
		conns := r.dialHeld(t, 5)
		wantReplies(t, []*net.TCPConn{r.dial(t)}, "")
		r.upReady()
		wantReplies(t, conns, "up ready 100%\n")
	})
	t.Run("the agent stops", func(t *testing.T) {
		r := startAgent(t, holdForEver())
		conns := r.dialHeld(t, 5)
		if err := r.stop(); err != nil {
			t.Errorf("Run returned %v", err)
		}
		wantReplies(t, conns, "")
	})
}

// TestHeldWhileTheVerdictChanges opens connections during changes. Each must get a reply that was current.
func TestHeldWhileTheVerdictChanges(t *testing.T) {
	r := startAgent(t, holdForEver())
	r.upReady()
	conns := make(chan *net.TCPConn, 300)
	go func() {
		defer close(conns)
		for range cap(conns) {
			conns <- r.dial(t)
		}
	}()
	last := make(chan struct{})
	go func() {
		defer close(last)
		for conn := range conns {
			switch got := readReply(t, conn); got {
			case "up ready 100%\n", "up drain 0%\n":
			default:
				t.Errorf("got %q", got)
			}
			conn.Close()
		}
	}()
	words := [2]string{"drain", "ready"}
	n := 0
	testbed.Eventually(t, "all to be answered", bound, func() bool {
		n++
		r.observed(statusFile(words[n%2]))
		select {
		case <-last:
			return true
		default:
			return false
		}
	})
	r.waitForSockets(t, 0)
}

// TestHeldAreCounted checks the metric of held connections and the counts of the checks, by port.
func TestHeldAreCounted(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	s := holdForEver()
	s.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	r := startAgent(t, s)
	r.upReady()
	wantHeld := func(held, up int64) {
		t.Helper()
		testbed.Eventually(t, fmt.Sprintf("%d held and %d answered up", held, up), bound, func() bool {
			got := collect(t, reader)
			return got["signal.agent.held"] == held && got["signal.agent.checks hold up"] == up &&
				got["signal.agent.checks hold none"] == 0
		})
	}
	wantHeld(0, 0)
	conns := r.dialHeld(t, 7)
	wantHeld(7, 0)
	r.observed(statusFile("drain"))
	wantReplies(t, conns, "up drain 0%\n")
	r.waitForWaiting(t, 0)
	wantHeld(0, 7)
}

// collect returns the values of all series by name and attributes.
func collect(t *testing.T, reader *sdkmetric.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	values := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			var points []metricdata.DataPoint[int64]
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				if data.IsMonotonic != (m.Name != "signal.agent.held") {
					t.Errorf("%s: monotonic is %t", m.Name, data.IsMonotonic)
				}
				points = data.DataPoints
			default:
				t.Errorf("unexpected metric %s: %T", m.Name, m.Data)
			}
			for _, point := range points {
				name := m.Name
				for _, attribute := range point.Attributes.ToSlice() {
					name += fmt.Sprint(" ", attribute.Value.AsString())
				}
				values[name] = point.Value
			}
		}
	}
	return values
}
