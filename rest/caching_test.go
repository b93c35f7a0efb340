package rest

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// wantNotStored checks that caches are forbidden to store a reply, unless it is one of the page's assets, and that
// browsers do not let other sites read it. Every reply to runningServer.ask goes through it, so it covers every route
// and every status of TestEveryAnswerIsDescribed.
func wantNotStored(t testing.TB, method, path string, answer *http.Response) {
	t.Helper()
	want := "no-store"
	if strings.HasPrefix(path, "/assets/") && answer.StatusCode == http.StatusOK {
		want = "public, max-age=31536000, immutable"
	}
	if got := answer.Header.Values("Cache-Control"); len(got) != 1 || got[0] != want {
		t.Errorf("%s %s: %d with Cache-Control %q, want %q", method, path, answer.StatusCode, got, want)
	}
	if got := answer.Header.Values("Cross-Origin-Resource-Policy"); len(got) != 1 || got[0] != "same-origin" {
		t.Errorf("%s %s: %d with Cross-Origin-Resource-Policy %q", method, path, answer.StatusCode, got)
	}
	for name := range answer.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s %s: %d with %s", method, path, answer.StatusCode, name)
		}
	}
}

// TestNoAnswerIsStored requests every route, and paths without a route, with every method.
func TestNoAnswerIsStored(t *testing.T) {
	r := startServer(t, setup{gatherer: prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		panic("broken gauge")
	})})
	for path := range readDescription(t).paths {
		for _, method := range append([]string{"BREW"}, knownMethods...) {
			if method == http.MethodConnect || path == eventsPath && method == http.MethodGet {
				continue // see below
			}
			r.ask(t, method, path)
		}
	}
	for _, path := range []string{"/nowhere", "/signal/health/", "//", "/assets/../signal/health",
		"/signal/history?since=x"} {
		r.ask(t, "GET", path)
	}
	// Requests that http.Client does not send, and the stream of events, which does not end.
	for request, code := range map[string]int{
		"OPTIONS *": 404, "CONNECT node:443": 404, "CONNECT /health": 405, "GET http://other/health": 200,
		"GET " + eventsPath: 200,
	} {
		conn := r.dial(t)
		if _, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: node\r\n\r\n", request); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", request, err)
		}
		if answer.StatusCode != code {
			t.Errorf("%s: %d, want %d", request, answer.StatusCode, code)
		}
		wantNotStored(t, request, "", answer)
		conn.Close()
	}
}
