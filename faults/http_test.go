package faults_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

const (
	alsoAnswered = "; other requests and checks are answered meanwhile"
	atLimit      = "HTTP connections are at their limit: the longest idle or busy ones are closed"
)

// httpPort are the faults of the clients of the HTTP port.
var httpPort = []fault{
	{
		does: "a client sends its headers slowly", within: "5 s", tests: []string{"rest TestSlowHeaders"},
		want: seen{also: "it is disconnected"},
	},
	attacked("100 clients ask for much and do not read", "other requests and checks are answered", slowReaders),
	attacked("a client sends a header of 10 MB", "status code 431"+alsoAnswered, hugeHeader),
	attacked("a client tries to smuggle requests", "status code 400 or 501, and the connection is closed"+alsoAnswered,
		smuggle),
	attacked("a client asks for paths outside of the page", "status code 404 or 400"+alsoAnswered, traverse),
	attacked("a client uses unknown methods", "status code 405"+alsoAnswered, unknownMethods),
	attacked("a client asks for 10,000 different paths", "/metrics has no more series than before"+alsoAnswered, manyPaths),
	attacked("80 pages are open and live", "the streams beyond 64 get status code 503"+alsoAnswered, manyStreams),
	attacked("2,000 connections stay idle", "log `"+atLimit+"`; metric `signal_http_evicted_total` grows"+alsoAnswered,
		idleHTTP),
	{
		does:   "clients do not send the bodies that they announce, or do not read their replies",
		within: "200 ms", tests: []string{"rest TestStuckRequestsMakePlace"},
		want: seen{also: "their connections make place for new ones"},
	},
	{
		does: "many clients ask for the history", within: throughout, tests: []string{"rest TestHistoryIsRenderedOnce"},
		want: seen{also: "it is rendered once"},
	},
	{
		does: "many clients ask for the metrics", within: throughout, tests: []string{"rest TestScrapesShareOneGathering"},
		want: seen{also: "they share one gathering"},
	},
	{
		does: "slow readers keep many versions of a large census", within: throughout,
		tests: []string{"rest TestFlightsBoundBodies"},
		want:  seen{also: "status code 503 for those beyond two versions"},
	},
	{
		does: "a handler panics", within: throughout, tests: []string{"rest TestPanicInGatherer"},
		want: seen{log: "panic", also: "only that request fails"},
	},
}

// responds checks that a request for a path is answered with a status code.
func (s *shard) responds(t *testing.T, path string, want int) {
	t.Helper()
	if code, body := testbed.Get("http://" + s.HTTP + path); code != want {
		t.Errorf("%s returns %d %.200s, want %d", path, code, body, want)
	}
}

func slowReaders(t *testing.T, s *shard) {
	t.Helper()
	paths := []string{"/signal/history", "/metrics", "/", "/openapi.json"}
	i := 0
	open(t, s.HTTP, 100, func(c net.Conn) {
		_ = c.(*net.TCPConn).SetReadBuffer(1)
		_, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: node\r\n\r\n", paths[i%len(paths)])
		i++
	})
	s.responds(t, "/signal/report", http.StatusOK)
	s.responds(t, "/metrics", http.StatusOK)
}

func hugeHeader(t *testing.T, s *shard) {
	t.Helper()
	c := dial(t, s.HTTP)
	go func() {
		_, _ = io.WriteString(c, "GET /health HTTP/1.1\r\nHost: node\r\nX-Big: ")
		chunk := strings.Repeat("x", 1<<20)
		for range 10 {
			if _, err := io.WriteString(c, chunk); err != nil {
				return
			}
		}
	}()
	expectCode(t, "10 MB", c, http.StatusRequestHeaderFieldsTooLarge)
}

// expectCode reads a response, whose status code must be one of some, and closes the connection.
func expectCode(t *testing.T, what string, c net.Conn, codes ...int) {
	t.Helper()
	defer c.Close()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	defer res.Body.Close()
	for _, code := range codes {
		if res.StatusCode == code {
			return
		}
	}
	t.Errorf("%s: %s, want one of %v", what, res.Status, codes)
}

func smuggle(t *testing.T, s *shard) {
	t.Helper()
	const second = "GET /signal/report HTTP/1.1\r\nHost: node\r\n\r\n"
	for name, headers := range map[string]string{
		"two lengths":         "Content-Length: 0\r\nContent-Length: 5\r\n",
		"negative length":     "Content-Length: -1\r\n",
		"length with a plus":  "Content-Length: +5\r\n",
		"hexadecimal length":  "Content-Length: 0x5\r\n",
		"two encodings":       "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
		"unknown encoding":    "Transfer-Encoding: xchunked\r\n",
		"space before colon":  "Content-Length : 5\r\n",
		"no colon":            "Content-Length 5\r\n",
		"NUL in a name":       "X\x00: y\r\n",
		"line end in a value": "X: y\rContent-Length: 5\r\n",
		"two hosts":           "Host: other\r\n",
	} {
		c := dial(t, s.HTTP)
		_, err := io.WriteString(c, "GET /health HTTP/1.1\r\nHost: node\r\n"+headers+"\r\n"+second)
		testbed.Must(t, err)
		all, _ := io.ReadAll(c)
		status, _, _ := strings.Cut(string(all), "\r\n")
		if !strings.HasPrefix(status, "HTTP/1.1 400 ") && !strings.HasPrefix(status, "HTTP/1.1 501 ") {
			t.Errorf("%s: %q", name, status)
		}
		if n := strings.Count(string(all), "HTTP/1.1 "); n != 1 {
			t.Errorf("%s: %d responses", name, n)
		}
	}
}

func traverse(t *testing.T, s *shard) {
	t.Helper()
	for _, path := range []string{
		"/../../../../etc/passwd", "/..%2f..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
		"/page/../../../etc/passwd", "/signal/../../etc/passwd", "/..\\..\\etc\\passwd", "/page.css/../../../etc/passwd",
		"/%00/etc/passwd", "/signal/report%00.html",
	} {
		c := dial(t, s.HTTP)
		_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n", path)
		testbed.Must(t, err)
		expectCode(t, path, c, http.StatusNotFound, http.StatusBadRequest)
	}
}

func unknownMethods(t *testing.T, s *shard) {
	t.Helper()
	for _, method := range []string{"BREW", "TRACE", "DELETE", "PROPFIND", "POST", "PUT", strings.Repeat("X", 1000)} {
		c := dial(t, s.HTTP)
		_, err := fmt.Fprintf(c, "%s /signal/report HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n", method)
		testbed.Must(t, err)
		expectCode(t, method, c, http.StatusMethodNotAllowed)
	}
}

// series returns the number of lines of /metrics.
func (s *shard) series(t *testing.T) int {
	t.Helper()
	code, text := testbed.Get("http://" + s.HTTP + "/metrics")
	if code != http.StatusOK {
		t.Errorf("/metrics returns %d", code)
	}
	return strings.Count(text, "\n")
}

func manyPaths(t *testing.T, s *shard) {
	t.Helper()
	s.responds(t, "/nowhere", http.StatusNotFound)
	s.series(t) // this request has series too
	before := s.series(t)
	const paths, batch = 10_000, 500
	c := dial(t, s.HTTP)
	from := bufio.NewReader(c)
	for i := 0; i < paths; i += batch {
		var requests strings.Builder
		for n := range batch {
			fmt.Fprintf(&requests, "GET /%d/nowhere?n=%d HTTP/1.1\r\nHost: node\r\n\r\n", i+n, i+n)
		}
		testbed.Must(t, c.SetDeadline(time.Now().Add(testbed.Bound)))
		_, err := io.WriteString(c, requests.String())
		testbed.Must(t, err)
		for range batch {
			res, err := http.ReadResponse(from, nil)
			testbed.Must(t, err)
			_, _ = io.Copy(io.Discard, res.Body)
			if res.StatusCode != http.StatusNotFound {
				t.Fatalf("status code %d", res.StatusCode)
			}
		}
	}
	if after := s.series(t); after > before {
		t.Errorf("%d lines of metrics, %d before", after, before)
	}
}

func manyStreams(t *testing.T, s *shard) {
	t.Helper()
	live, refused := 0, 0
	var streams []net.Conn
	for range 80 {
		c := dial(t, s.HTTP)
		streams = append(streams, c)
		_, err := io.WriteString(c, "GET /signal/events HTTP/1.1\r\nHost: node\r\n\r\n")
		testbed.Must(t, err)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		testbed.Must(t, err)
		switch res.StatusCode {
		case http.StatusOK:
			live++
		case http.StatusServiceUnavailable:
			refused++
		default:
			t.Errorf("status code %d", res.StatusCode)
		}
	}
	if live != 64 || refused != 16 {
		t.Errorf("%d streams are live and %d are refused", live, refused)
	}
	s.responds(t, "/signal/report", http.StatusOK)
	for _, c := range streams {
		_ = c.Close()
	}
}

func idleHTTP(t *testing.T, s *shard) {
	t.Helper()
	open(t, s.HTTP, 2000, func(net.Conn) {})
	s.responds(t, "/health", http.StatusOK)
	s.eventually(t, "evictions", func() bool {
		return s.Metric("signal_http_evicted_total") != "0" && len(s.Logged(atLimit)) > 0
	})
}
