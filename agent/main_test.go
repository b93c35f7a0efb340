package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// bound is how long a test waits for something that must happen. No wait takes this long unless the test fails.
const bound = 20 * time.Second

// runningAgent is an agent on a real socket, and the monitor that it reads.
type runningAgent struct {
	*Agent
	monitor *health.Monitor
	address string
	log     *testbed.LogBuffer
	stop    func() error // ends the context and returns what Run returned
	ended   <-chan struct{}
	idle    int // sockets of this process without any connection
}

// setup contains what a test may change in an agent before it runs.
type setup struct {
	config  health.Config
	meters  metric.MeterProvider
	address string // 127.0.0.1:0 without it
	hold    time.Duration
	files   uint64 // OpenFiles
	allow   []netip.Prefix
	overdue func(time.Time) bool
	change  func(*Agent)
}

// lingerShortly makes connections whose peer does not close stay open for 100 ms instead of 1 s.
func lingerShortly(a *Agent) { a.lingerTime = 100 * time.Millisecond }

// startAgent runs an agent until the test ends.
func startAgent(t testing.TB, s setup) *runningAgent {
	t.Helper()
	idle := sockets() + 1
	listener, err := net.Listen("tcp", cmp.Or(s.address, "127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	r := &runningAgent{monitor: health.NewMonitor(s.config), address: listener.Addr().String(),
		log: new(testbed.LogBuffer), idle: idle}
	if s.meters == nil {
		s.meters = noop.NewMeterProvider()
	}
	panics, err := guard.New(noop.NewMeterProvider(), slog.New(slog.NewTextHandler(r.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	r.Agent, err = New(Options{
		Listener: listener, Allow: s.allow, Source: r.monitor, Overdue: s.overdue, Hold: s.hold, OpenFiles: s.files,
		MeterProvider: s.meters, Logger: slog.New(slog.NewTextHandler(r.log, nil)), Guard: panics,
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.change != nil {
		s.change(r.Agent)
	}
	r.stop, r.ended = testbed.Background(r.Run, bound)
	t.Cleanup(func() {
		if err := r.stop(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Run returned %v", err)
		}
	})
	return r
}

// dial opens a connection with a deadline of bound.
func (r *runningAgent) dial(t testing.TB) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(bound)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// check makes one agent check and returns the data up to the end of the connection.
func (r *runningAgent) check(t testing.TB) string {
	t.Helper()
	return readReply(t, r.dial(t))
}

func readReply(t testing.TB, conn net.Conn) string {
	t.Helper()
	reply, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("after %q: %v", reply, err)
	}
	return string(reply)
}

// waitForWaiting waits until exactly n connections wait for their reply, or linger after such a wait.
func (r *runningAgent) waitForWaiting(t testing.TB, n int) {
	t.Helper()
	testbed.Eventually(t, fmt.Sprint(n, " connections to wait"), bound, func() bool { return len(r.waiting) == n })
}

// waitForSockets waits until the agent has no open connection. own sockets are still open in the test.
func (r *runningAgent) waitForSockets(t testing.TB, own int) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Log("sockets are counted on Linux only")
		return
	}
	testbed.Eventually(t, "the agent to close its connections", bound, func() bool { return sockets() == r.idle+own })
}

// sockets returns the number of open sockets of this process.
func sockets() (n int) {
	descriptors, _ := filepath.Glob("/proc/self/fd/*")
	for _, path := range descriptors {
		if target, err := os.Readlink(path); err == nil && strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}

// rules have no flap mitigation: the reply follows from the observations.
var rules = health.Config{ParticipantMax: 5000, DrainGraceScope: health.ScopeJicofo}

// observed makes the monitor observe the parts now.
func (r *runningAgent) observed(parts ...health.Observation) {
	for _, o := range parts {
		o.At = time.Now()
		r.monitor.Observe(context.Background(), o)
	}
}

func jicofo(participants float64) health.Observation {
	ok := health.Answer{Code: 200}
	return health.Observation{Jicofo: &health.Jicofo{Health: ok, Stats: ok, Participants: participants}}
}

func prosody(code int) health.Observation {
	return health.Observation{Prosody: &health.Prosody{Health: health.Answer{Code: code}}}
}

func statusFile(contents string) health.Observation {
	return health.Observation{StatusFile: &health.StatusFile{Found: true, Contents: contents}}
}

// upReady makes the monitor observe a healthy node.
func (r *runningAgent) upReady() { r.observed(jicofo(0), prosody(200), statusFile("ready")) }
