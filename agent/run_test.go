package agent

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestRunEndsWithTheContext: the port is closed, those who wait are closed without a word, and Run returns nil.
func TestRunEndsWithTheContext(t *testing.T) {
	r := startAgent(t, setup{config: rules, change: func(a *Agent) { a.verdictWait = time.Hour }})
	waiting := []*net.TCPConn{r.dial(t), r.dial(t), r.dial(t)}
	r.waitForGuests(t, len(waiting))
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
	r := startAgent(t, setup{config: rules, change: func(a *Agent) { a.lingerTime = time.Hour }})
	r.upReady()
	conn := r.dial(t)
	waitFor(t, "the reply", func() bool { return r.up.Load() == 1 })
	if err := r.stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if got := readReply(t, conn); got != "up ready 100%\n" {
		t.Errorf("said %q", got)
	}
}

// TestRunReturnsWhyTheListenerFailed: an agent that cannot be asked any more must not go unnoticed.
func TestRunReturnsWhyTheListenerFailed(t *testing.T) {
	r := startAgent(t, setup{config: rules})
	if err := r.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.ended:
	case <-time.After(bound):
		t.Fatal("Run did not return")
	}
	if err := r.stop(); !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "agent listener: ") {
		t.Errorf("Run returned %v", err)
	}
}

// failingListener fails the first accepts, as one does for want of file descriptors.
type failingListener struct {
	net.Listener
	failures atomic.Int64
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// TestRunSurvivesFailedAccepts: they pass, and are logged when they begin and end, not one by one.
func TestRunSurvivesFailedAccepts(t *testing.T) {
	r := startAgent(t, setup{config: rules, listener: func(l net.Listener) net.Listener {
		failing := &failingListener{Listener: l}
		failing.failures.Store(10)
		return failing
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
	waitFor(t, "all checks to be counted", func() bool { return r.up.Load()+r.down.Load() == 200 })
}
