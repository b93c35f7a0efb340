package main_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// stopTime is twice the time that the sidecar allows itself for a stop, because the machine may be busy.
const stopTime = 4 * time.Second

// TestStop ends a sidecar whose probes hang, while clients of every kind keep connections open.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			shard := newShard(t, vars{"PROBE_TIMEOUT": "60", "CENSUS_POLL": "1", "CENSUS_HOST": "meet"})
			shard.jicofo("hang")
			shard.prosody("hang")
			shard.start(t)
			testbed.Eventually(t, "the probes to hang", bound, func() bool {
				jicofo, _ := shard.Jicofo.Requests("")
				prosody, _ := shard.Prosody.Requests("")
				return jicofo == 2 && prosody == 2
			})
			var waiting [10]<-chan string
			for i := range waiting {
				waiting[i] = wait(t, shard.Agent)
			}
			for range 3 {
				holdAlive(t, shard.HTTP)
			}
			sendHalf(t, shard.HTTP)

			code, took := shard.Stop(t, s)
			t.Logf("stopped in %s", took)
			if code != 0 || took > stopTime {
				t.Errorf("exit %d after %s", code, took)
			}
			if n := len(shard.Logged("signal-sidecar stopped")); n != 1 || shard.Stderr() != "" {
				t.Errorf("%d lines say that it stopped; standard error %q", n, shard.Stderr())
			}
			for _, reply := range waiting {
				if got := replyOf(t, reply); got != "" {
					t.Errorf("an agent client that waited got %q", got)
				}
			}
			for _, address := range []string{shard.HTTP, shard.Agent} {
				l, err := net.Listen("tcp", address)
				if err != nil {
					t.Errorf("the port is not free again: %v", err)
					continue
				}
				_ = l.Close()
			}
		})
	}
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, bound)
	testbed.Must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	testbed.Must(t, conn.SetDeadline(time.Now().Add(bound)))
	return conn
}

// holdAlive sends a request and keeps the connection open.
func holdAlive(t *testing.T, address string) {
	t.Helper()
	conn := dial(t, address)
	_, err := io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: sidecar\r\n\r\n")
	testbed.Must(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	testbed.Must(t, err)
	_ = res.Body.Close()
}

// sendHalf sends the beginning of a request.
func sendHalf(t *testing.T, address string) {
	t.Helper()
	_, err := io.WriteString(dial(t, address), "GET /health HTTP/1.1\r\nHost: side")
	testbed.Must(t, err)
}

// TestStopWithVerdict ends a healthy sidecar.
func TestStopWithVerdict(t *testing.T) {
	t.Parallel()
	s := startShard(t, nil)
	s.becomes(t, "up ready 100%")
	holdAlive(t, s.HTTP)
	code, took := s.Stop(t, syscall.SIGTERM)
	t.Logf("stopped in %s", took)
	if code != 0 || took > stopTime {
		t.Errorf("exit %d after %s", code, took)
	}
	if changes := s.Logged("verdict changed"); len(changes) != 1 {
		t.Errorf("verdicts on the way: %v", changes)
	}
	if left, _ := filepath.Glob(s.Cmd.Dir + "/*"); len(left) > 0 {
		t.Errorf("left behind in the working directory: %v", left)
	}
}
