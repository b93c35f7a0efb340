package rest

import (
	"bufio"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// askAs sends a request with a Host header and returns the reply, whose body is not read.
func (r *runningServer) askAs(t *testing.T, host, method, target string) *http.Response {
	t.Helper()
	conn := r.dial(t)
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", method, target, host); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s %s for %q: %v", method, target, host, err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// TestHosts checks which Host headers are served, on each route.
func TestHosts(t *testing.T) {
	r := startServer(t, setup{census: true, hosts: []string{"shard1.example.com", "10.0.0.1", "::1"}})
	r.node.enter(t, "up")
	open := []string{"/health", "/signal/health", "/about/health"}
	for path := range readDescription(t).paths {
		for _, c := range []struct {
			host   string
			served bool
		}{
			{"shard1.example.com", true}, {"Shard1.EXAMPLE.com:6000", true}, {"shard1.example.com.:6001", true},
			{"10.0.0.1:6000", true}, {"[::1]:6000", true}, {"[::1]", true},
			{"evil.example", false}, {"evil.example:6000", false}, {"shard1.example.com.evil.example", false},
			{"example.com", false}, {"10.0.0.2", false}, {"", false}, {"[::2]:6000", false},
		} {
			answer := r.askAs(t, c.host, "GET", path)
			misdirected := answer.StatusCode == http.StatusMisdirectedRequest
			if wanted := !c.served && !slices.Contains(open, path); misdirected != wanted {
				t.Errorf("%s for %q: %d", path, c.host, answer.StatusCode)
			}
			wantNotStored(t, "GET", path, answer)
		}
	}
	for target, code := range map[string]int{
		"/nowhere": 421, "/health/../signal/report": 421, "//health": 421, "/health/": 421,
		"http://shard1.example.com/signal/report": 200, // this name counts, not the Host header (RFC 9112)
		"http://evil.example/signal/report":       421,
	} {
		if got := r.askAs(t, "evil.example", "GET", target).StatusCode; got != code {
			t.Errorf("%s: %d, want %d", target, got, code)
		}
	}
	if got := r.askAs(t, "evil.example", "POST", "/signal/report").StatusCode; got != 421 {
		t.Errorf("POST: %d, want 421", got)
	}
}

// TestAnyHost checks that all names are served by default.
func TestAnyHost(t *testing.T) {
	r := startServer(t, setup{})
	r.node.enter(t, "up")
	for _, host := range []string{"", "evil.example", "[::2]:1"} {
		if got := r.askAs(t, host, "GET", "/signal/explain").StatusCode; got != 200 {
			t.Errorf("%q: %d", host, got)
		}
	}
}
