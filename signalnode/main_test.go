package signalnode

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long a test waits for an event. A test takes that long only if it fails.
const bound = 20 * time.Second

func startNode(t *testing.T) *Node {
	t.Helper()
	n, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return n
}

// newClient returns a client that uses each connection once, so that it never repeats a request by itself.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: bound}
}

// reply is a complete reply, or the error if there is none.
type reply struct {
	code        int
	contentType string
	length      int64
	body        string
	err         error
}

func get(url string) reply {
	resp, err := newClient().Get(url)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header.Get("Content-Type"), resp.ContentLength, string(data), err}
}

// getLater sends a request, and returns once the service has received it.
func getLater(t *testing.T, s *Service, path string) <-chan reply {
	t.Helper()
	before, _ := s.Requests(path)
	replies := make(chan reply, 1)
	go func() { replies <- get(s.Origin() + path) }()
	testbed.Eventually(t, "the request to arrive", bound, func() bool {
		now, _ := s.Requests(path)
		return now > before && exchanges(s) > 0
	})
	return replies
}

func await(t *testing.T, replies <-chan reply) reply {
	t.Helper()
	select {
	case r := <-replies:
		return r
	case <-time.After(bound):
		t.Fatal("the request did not end")
		panic("unreachable")
	}
}

// dial connects and sends a request for the path.
func dial(t *testing.T, s *Service, path string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(bound)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: node\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// exchanges returns the number of requests that the service handles now.
func exchanges(s *Service) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.exchanges)
}
