package main_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func TestFirstReply(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"POLLING_INTERVAL": "60"})
	if got, err := testbed.Ask(s.Agent); got != "up ready 100%\n" || err != nil {
		t.Errorf("the first reply is %q, %v", got, err)
	}
	s.becomes(t, "up ready 100%")
}

// wait connects to the agent and returns a channel that receives the reply.
func wait(t *testing.T, address string) <-chan string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, bound)
	testbed.Must(t, err)
	testbed.Must(t, conn.SetDeadline(time.Now().Add(bound)))
	reply := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		got, _ := io.ReadAll(conn)
		reply <- string(got)
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-read
	})
	return reply
}

func replyOf(t *testing.T, reply <-chan string) (text string) {
	t.Helper()
	testbed.Eventually(t, "the agent to end the connection", bound, func() bool {
		select {
		case text = <-reply:
			return true
		default:
			return false
		}
	})
	return text
}

// TestFirstVerdict sends requests before the first verdict. The agent does not reply before the verdict; the HTTP
// endpoints reply that there is none.
func TestFirstVerdict(t *testing.T) {
	t.Parallel()
	s := newShard(t, vars{"PROBE_TIMEOUT": "60"})
	s.jicofo("hang")
	s.start(t)
	reply := wait(t, s.Agent)
	if code := s.healthCode(); code != http.StatusInternalServerError {
		t.Errorf("/signal/health answers %d without a verdict", code)
	}
	if code, _ := testbed.Get("http://" + s.HTTP + "/signal/report"); code != http.StatusInternalServerError {
		t.Errorf("/signal/report answers %d without a verdict", code)
	}
	if code, body := testbed.Get("http://" + s.HTTP + "/health"); code != http.StatusOK || body != "OK" {
		t.Errorf("/health answers %d %q without a verdict", code, body)
	}
	if code, body := testbed.Get("http://" + s.HTTP + "/"); code != http.StatusOK ||
		!strings.Contains(body, "<h1>No verdict yet</h1>") {
		t.Errorf("the status page answers %d without a verdict:\n%s", code, body)
	}
	if r := s.report(t); r.Healthy || r.Status != "unknown" || r.AgentMessage != "" {
		t.Errorf("the report without a verdict: %+v", r)
	}
	select {
	case got := <-reply:
		t.Errorf("the agent replied %q without a verdict", got)
	default:
	}
	s.jicofo("healthy")
	if got := replyOf(t, reply); got != "up ready 100%\n" {
		t.Errorf("the check that waited for the verdict got %q", got)
	}
}

// TestFirstVerdictOfHangingJicofo checks that the first verdict comes when the probe times out.
func TestFirstVerdictOfHangingJicofo(t *testing.T) {
	t.Parallel()
	s := newShard(t, vars{"PROBE_TIMEOUT": "1", "DRAIN_GRACE_INTERVAL": "60"})
	s.jicofo("hang")
	s.start(t)
	if got := replyOf(t, wait(t, s.Agent)); got != "down ready 100%\n" {
		t.Errorf("the first reply is %q", got)
	}
	s.becomes(t, "down ready 100%") // no grace for a node that was never healthy
	s.changes(t, 1)
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken := occupy(t)
	for _, name := range []string{"HTTP_PORT", "TCP_PORT", "TCP_HOLD_PORT", "PAGE_PORT"} {
		v := testbed.Loopback.With(vars{name: taken})
		r := run(t, v)
		if r.code != 1 || len(r.problems()) != 1 ||
			!strings.Contains(r.stderr, name) || !strings.Contains(r.stderr, ":"+taken+" is in use") {
			t.Errorf("%s taken: exit %d, standard error %q", name, r.code, r.stderr)
		}
		if strings.Contains(r.stdout, "signal-sidecar started") {
			t.Errorf("%s taken: the sidecar says that it started", name)
		}
	}
}
