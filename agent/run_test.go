package agent

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	"golang.org/x/sys/unix"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestRunEndsWithTheContext: the port is closed, those who wait are closed without a word, and Run returns nil.
func TestRunEndsWithTheContext(t *testing.T) {
	r := startAgent(t, setup{config: rules, change: func(a *Agent) { a.room.verdictWait = time.Hour }})
	waiting := []*net.TCPConn{r.dial(t), r.dial(t), r.dial(t)}
	r.waitForWaiting(t, len(waiting))
	if err := r.stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	for _, conn := range waiting {
		if got := readReply(t, conn); got != "" {
			t.Errorf("at shutdown said %q", got)
		}
	}
	if conn, err := net.Dial("tcp", r.address); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

// TestRunEndsWithLingeringPeers: peers that do not close do not hold up the shutdown, and have their reply.
func TestRunEndsWithLingeringPeers(t *testing.T) {
	r := startAgent(t, setup{config: rules, change: func(a *Agent) { a.answered.time = time.Hour }})
	r.upReady()
	conn := r.dial(t)
	testbed.Eventually(t, "the reply", bound, func() bool { return r.checks.up.Load() == 1 })
	if err := r.stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if got := readReply(t, conn); got != "up ready 100%\n" {
		t.Errorf("said %q", got)
	}
}

// TestRunReturnsWhyTheListenerFailed: an agent that cannot be asked any more must not go unnoticed.
func TestRunReturnsWhyTheListenerFailed(t *testing.T) {
	var socket *os.File // the same as the agent's
	r := startAgent(t, setup{config: rules, listener: func(l *net.TCPListener) {
		var err error
		if socket, err = l.File(); err != nil {
			t.Fatal(err)
		}
	}})
	if err := unix.Shutdown(int(socket.Fd()), unix.SHUT_RD); err != nil {
		t.Fatal(err)
	}
	socket.Close()
	select {
	case <-r.ended:
	case <-time.After(bound):
		t.Fatal("Run did not return")
	}
	if err := r.stop(); !errors.Is(err, unix.EINVAL) || !strings.HasPrefix(err.Error(), "agent listener: ") {
		t.Errorf("Run returned %v", err)
	}
}

// TestRunReturnsThatTheListenerIsClosed already when it begins.
func TestRunReturnsThatTheListenerIsClosed(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{Listener: l, Source: health.NewMonitor(rules), MeterProvider: noop.NewMeterProvider(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := a.Run(t.Context()); !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "agent listener: ") {
		t.Errorf("Run returned %v", err)
	}
}

// TestNewRefusesOtherListeners than those of Listen.
func TestNewRefusesOtherListeners(t *testing.T) {
	unixListener, err := net.Listen("unix", t.TempDir()+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	multipath := net.ListenConfig{}
	multipath.SetMultipathTCP(true)
	multipathListener, err := multipath.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for want, l := range map[string]net.Listener{
		"is not a TCP listener": unixListener, "not plain TCP": multipathListener, "use of closed network connection": closed,
	} {
		defer l.Close()
		if speaksMultipath, err := isMultipath(l); want == "not plain TCP" && !speaksMultipath {
			t.Logf("this kernel has no Multipath TCP (%v)", err)
			continue
		}
		_, err = New(Options{Listener: l, Source: health.NewMonitor(rules), MeterProvider: noop.NewMeterProvider(), Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New returned %v, want %q", err, want)
		}
	}
}

func isMultipath(l net.Listener) (bool, error) {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return false, nil
	}
	protocol, err := control(tcp, func(fd int) (int, error) { return unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL) })
	return protocol == unix.IPPROTO_MPTCP, err
}

// TestRunSurvivesFailedAccepts: they pass, and are logged when they begin and end, not one by one.
func TestRunSurvivesFailedAccepts(t *testing.T) {
	failures := 10
	r := startAgent(t, setup{config: rules, change: func(a *Agent) {
		a.accept = func(l *listener) (int, error) { // as for want of file descriptors
			if failures--; failures >= 0 {
				return -1, unix.EMFILE
			}
			return l.accept()
		}
	}})
	r.upReady()
	if got := r.check(t); got != "up ready 100%\n" {
		t.Errorf("said %q", got)
	}
	if got := strings.Count(r.log.String(), "too many open files"); got != 1 {
		t.Errorf("10 failures in a row make %d lines:\n%s", got, r.log)
	}
	if !strings.Contains(r.log.String(), "failures=10") {
		t.Errorf("the end of the failures is not logged:\n%s", r.log)
	}
}

// TestConcurrentChecks: 200 clients at once, while the verdict changes; each hears a whole line that was true.
func TestConcurrentChecks(t *testing.T) {
	r := startAgent(t, setup{config: rules})
	r.upReady()
	var clients sync.WaitGroup
	for range 200 {
		conn := r.dial(t)
		clients.Go(func() {
			_, _ = io.WriteString(conn, "shard-1\n")
			switch got := readReply(t, conn); got {
			case "up ready 100%\n", "up drain 0%\n", "down ready 100%\n":
			default:
				t.Errorf("said %q", got)
			}
			conn.Close()
		})
		r.observed(statusFile("drain"))
		r.observed(statusFile("ready"), prosody(500))
		r.observed(prosody(200))
	}
	clients.Wait()
	testbed.Eventually(t, "all checks to be counted", bound, func() bool { return r.checks.up.Load()+r.checks.down.Load() == 200 })
}
