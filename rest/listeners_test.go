package rest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// askOn requests /health on a connection. It returns an error unless the reply comes within the time.
func askOn(conn net.Conn, within time.Duration) error {
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	if _, err := fmt.Fprint(conn, "GET /health HTTP/1.1\r\nHost: node\r\n\r\n"); err != nil {
		return err
	}
	return readAnswer(conn)
}

func readAnswer(conn net.Conn) error {
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "OK" {
		return fmt.Errorf("%q, %w", body, err)
	}
	return nil
}

// addresses returns the addresses on which the server listens.
func (r *runningServer) addresses() (all []string) {
	for _, l := range r.listeners {
		all = append(all, l.Addr().String())
	}
	return all
}

func dialTo(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestListenersShareOneHandler checks that requests to all listeners count in the same metrics.
func TestListenersShareOneHandler(t *testing.T) {
	r := startServer(t, setup{second: true})
	for _, address := range r.addresses() {
		answer, err := r.client.Get("http://" + address + "/signal/health")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	r.wantHealthChecks(t, 2, 2)
}

// TestConnectionsAreLimited checks that each listener has its own limit: connections of one listener do not replace
// those of the other.
func TestConnectionsAreLimited(t *testing.T) {
	r := startServer(t, setup{second: true, openFiles: 4}) // 1 connection each
	first, second := dialTo(t, r.addresses()[0]), dialTo(t, r.addresses()[1])
	for _, conn := range []net.Conn{first, second} {
		if err := askOn(conn, bound); err != nil {
			t.Fatal(err)
		}
	}
	testbed.Eventually(t, "the connection to be idle", bound, func() bool { return r.idleConnections() == 1 })
	if err := askOn(dialTo(t, r.addresses()[0]), bound); err != nil {
		t.Errorf("a connection over the limit: %v", err)
	}
	if err := askOn(first, bound); err == nil {
		t.Error("the idle connection of this listener is still open")
	}
	if err := askOn(second, bound); err != nil {
		t.Errorf("the connection of the other listener: %v", err)
	}
}

// TestOneListenerFails checks that the whole server then ends, and returns the reason.
func TestOneListenerFails(t *testing.T) {
	for i := range 2 {
		r := startServer(t, setup{second: true})
		if err := r.listeners[i].Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-r.ended:
		case <-time.After(bound):
			t.Fatal("Run did not return")
		}
		if err := r.stop(); !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "http listener: ") {
			t.Errorf("Run returned %v", err)
		}
		if conn, err := net.Dial("tcp", r.addresses()[1-i]); err == nil {
			conn.Close()
			t.Error("the other listener is still open")
		}
	}
}
