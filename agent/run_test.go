package agent

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"golang.org/x/sys/unix"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestRunEndsWithTheContext checks that the port is closed, that waiting connections are closed without a reply, and
// that Run returns nil.
func TestRunEndsWithTheContext(t *testing.T) {
	r := startAgent(t, setup{config: rules, change: func(a *Agent) { a.verdictWait = time.Hour }})
	waiting := []*net.TCPConn{r.dial(t), r.dial(t), r.dial(t)}
	r.waitForWaiting(t, len(waiting))
	if err := r.stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	for _, conn := range waiting {
		if got := readReply(t, conn); got != "" {
			t.Errorf("at shutdown got %q", got)
		}
	}
	if conn, err := net.Dial("tcp", r.address); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

// TestRunEndsWithLingeringPeers checks that peers that do not close get their reply and do not delay the shutdown.
func TestRunEndsWithLingeringPeers(t *testing.T) {
	for name, hold := range map[string]time.Duration{"ordinary port": 0, "held port": time.Hour} {
		t.Run(name, func(t *testing.T) {
			r := startAgent(t,
				setup{config: rules, hold: hold, change: func(a *Agent) { a.freshTime, a.lingerTime = 0, time.Hour }})
			r.upReady()
			conns := []*net.TCPConn{r.dial(t), r.dial(t), r.dial(t)}
			if hold > 0 {
				r.waitForWaiting(t, len(conns))
			} else {
				for range conns {
					wantReplies(t, []*net.TCPConn{r.dial(t)}, "up ready 100%\n") // the connections before it have been accepted
				}
			}
			if err := r.stop(); err != nil {
				t.Errorf("Run returned %v", err)
			}
			wantReplies(t, conns, "up ready 100%\n")
		})
	}
}

// TestRunReturnsWhyTheListenerFailed checks that Run returns an error when the agent can no longer accept.
func TestRunReturnsWhyTheListenerFailed(t *testing.T) {
	r := startAgent(t, setup{config: rules})
	_ = r.Listener.Close()
	select {
	case <-r.ended:
	case <-time.After(bound):
		t.Fatal("Run did not return")
	}
	if err := r.stop(); !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "agent listener: ") {
		t.Errorf("Run returned %v", err)
	}
}

// TestRunSurvivesWantOfDescriptors checks that failed accepts are logged when they begin and end, and that the
// connections that could not be accepted get their reply afterwards.
func TestRunSurvivesWantOfDescriptors(t *testing.T) {
	r := startAgent(t, setup{config: rules})
	r.upReady()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = 256
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	}()
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		files = append(files, f)
	}
	files[0].Close() // for the client's side of the connection
	conn := r.dial(t)
	testbed.Eventually(t, "an accept to fail", bound,
		func() bool { return strings.Contains(r.log.String(), "too many open files") })
	for _, f := range files {
		f.Close()
	}
	wantReplies(t, []*net.TCPConn{conn}, "up ready 100%\n")
	wantReplies(t, []*net.TCPConn{r.dial(t)}, "up ready 100%\n")
	for _, message := range []string{"agent connections are not accepted", "agent connections are accepted again"} {
		if n := strings.Count(r.log.String(), message); n != 1 {
			t.Errorf("%q is logged %d times:\n%s", message, n, r.log)
		}
	}
}

// TestConcurrentChecks runs 200 concurrent clients while the verdict changes. Each must get a whole reply that was
// current.
func TestConcurrentChecks(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	r := startAgent(t, setup{config: rules, meters: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
	r.upReady()
	var clients sync.WaitGroup
	for range 200 {
		conn := r.dial(t)
		clients.Go(func() {
			_, _ = io.WriteString(conn, "shard-1\n")
			switch got := readReply(t, conn); got {
			case "up ready 100%\n", "up drain 0%\n", "down ready 100%\n":
			default:
				t.Errorf("got %q", got)
			}
			conn.Close()
		})
		r.observed(statusFile("drain"))
		r.observed(statusFile("ready"), prosody(500))
		r.observed(prosody(200))
	}
	clients.Wait()
	testbed.Eventually(t, "all checks to be counted", bound, func() bool {
		counts := collect(t, reader)
		return counts["signal.agent.checks agent up"]+counts["signal.agent.checks agent down"] == 200
	})
}
