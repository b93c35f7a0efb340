package rest

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// heldGatherer gathers only after it is released.
type heldGatherer struct{ asked, release chan struct{} }

func newHeldGatherer() *heldGatherer {
	return &heldGatherer{asked: make(chan struct{}), release: make(chan struct{})}
}

func (g *heldGatherer) Gather() ([]*dto.MetricFamily, error) {
	close(g.asked)
	<-g.release
	return prometheus.NewRegistry().Gather()
}

// scrapeLater requests /metrics and returns when the gatherer has been called.
func (r *runningServer) scrapeLater(g *heldGatherer) <-chan error {
	done := make(chan error, 1)
	go func() {
		answer, err := r.client.Get(r.origin + "/metrics")
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		if err == nil && answer.StatusCode != 200 {
			err = errors.New(answer.Status)
		}
		done <- err
	}()
	<-g.asked
	return done
}

// TestRunLetsRequestsFinish checks that the end of the context closes the port, and that requests in flight finish.
func TestRunLetsRequestsFinish(t *testing.T) {
	g := newHeldGatherer()
	r := startServer(t, setup{gatherer: g})
	done := r.scrapeLater(g)
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	for {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.origin, "http://"))
		if err != nil {
			break // the port is closed
		}
		conn.Close()
	}
	close(g.release)
	if err := <-done; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Run returned %v", err)
	}
}

// TestRunEndsBounded checks that a request that does not finish delays the shutdown by at most a second.
func TestRunEndsBounded(t *testing.T) {
	t.Parallel()
	g := newHeldGatherer()
	r := startServer(t, setup{gatherer: g})
	done := r.scrapeLater(g)
	began := time.Now()
	if err := r.stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if took := time.Since(began); took < shutdownTime || took > bound/2 {
		t.Errorf("the shutdown took %s", took)
	}
	if err := <-done; err == nil || os.IsTimeout(err) {
		t.Errorf("the request was not cut off: %v", err)
	}
	close(g.release)
}

// TestRunClosesIdleConnections checks that keep-alive connections do not delay the shutdown.
func TestRunClosesIdleConnections(t *testing.T) {
	r := startServer(t, setup{})
	conn := r.dial(t)
	if _, err := io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: node\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if rest, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(rest), "\r\n\r\nOK") {
		t.Errorf("%q, %v", rest, err)
	}
}

// TestRunReturnsWhyTheListenerFailed checks that Run returns the error, and that no open connection is served any more.
func TestRunReturnsWhyTheListenerFailed(t *testing.T) {
	r := startServer(t, setup{})
	conn := r.dial(t)
	if _, err := io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: node\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := r.listeners[0].Close(); err != nil {
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
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("an open connection is still served: %v", err)
	}
}

// slowListener accepts a connection, and returns it only after it has been closed.
type slowListener struct {
	net.Listener
	accepted, closed chan struct{}
	once             sync.Once
}

func (l *slowListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		close(l.accepted)
		<-l.closed
	}
	return conn, err
}

func (l *slowListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// TestRunWaitsForTheLastConnection checks that a connection that is accepted while the shutdown begins gets its reply.
func TestRunWaitsForTheLastConnection(t *testing.T) {
	t.Parallel()
	l := &slowListener{accepted: make(chan struct{}), closed: make(chan struct{})}
	r := startServer(t, setup{change: func(s *Server) {
		l.Listener, s.listeners[0].Listener = s.listeners[0].Listener, l
	}})
	conn := r.dial(t)
	if _, err := io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: node\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-l.accepted
	if err := r.stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		t.Errorf("the reply is %q, %v", answer, err)
	}
}
