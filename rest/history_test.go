package rest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
)

// historyHandler serves a history.
func historyHandler(t *testing.T, h History) http.Handler {
	t.Helper()
	handler, err := newHandler(Options{
		Source: health.NewMonitor(health.Config{}), History: h, MeterProvider: noop.NewMeterProvider(),
		Logger: slog.New(slog.DiscardHandler),
	}, newBounds())
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

func TestHistory(t *testing.T) {
	past := &fixedHistory{page: history.Page{Changes: []history.Change{{State: "down"}}}}
	want, err := json.Marshal(past.page)
	if err != nil {
		t.Fatal(err)
	}
	handler := historyHandler(t, past)
	moment := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		query string
		code  int
		since time.Time // zero for the whole history
		ago   time.Duration
	}{
		{"", 200, time.Time{}, 0},
		{"?since=", 200, time.Time{}, 0},
		{"?since=2026-03-01T03:00:00Z", 200, moment, 0},
		{"?since=2026-03-01T03:00:00.000Z", 200, moment, 0},
		{"?since=2026-03-01T05:00:00%2B02:00", 200, moment, 0},
		{"?since=2026-03-01T05:00:00+02:00", 200, moment, 0},
		{"?since=15m", 200, time.Time{}, 15 * time.Minute},
		{"?since=-15m", 400, time.Time{}, 0},
		{"?since=yesterday", 400, time.Time{}, 0},
		{"?since=" + strings.Repeat("9", 1000), 400, time.Time{}, 0},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			past.since = time.Time{}
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequest(method, "/signal/history"+c.query, nil))
			if answer.Code != c.code {
				t.Errorf("%s %s: %d, want %d", method, c.query, answer.Code, c.code)
			}
			if body := answer.Body.String(); c.code == 200 && body != string(want) {
				t.Errorf("%s %s: %s", method, c.query, body)
			}
			since := c.since
			if c.ago > 0 {
				since = time.Now().Add(-c.ago)
			}
			if d := past.since.Sub(since); c.code == 200 && (d < -5*time.Second || d > 5*time.Second) {
				t.Errorf("%s %s: the history since %s, want since %s", method, c.query, past.since, since)
			}
		}
	}
}

// TestHistoryBadSince checks that the reply gives the error in one line, and quotes only the beginning of a long value.
func TestHistoryBadSince(t *testing.T) {
	handler := historyHandler(t, history.New())
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest("GET", "/signal/history?since=soon", nil))
	const want = `{"error":"since=\"soon\": must be a time such as 2026-03-01T03:00:00Z, or a duration before now, such as 15m"}`
	if got := answer.Body.String(); got != want {
		t.Errorf("the answer is %s, want %s", got, want)
	}
	answer = httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest("GET", "/signal/history?since="+strings.Repeat("x", 10_000), nil))
	if answer.Body.Len() > 300 {
		t.Errorf("the answer to a long question has %d bytes", answer.Body.Len())
	}
}

// TestHistoryIsCompressed checks that the history is compressed only for clients that accept gzip.
func TestHistoryIsCompressed(t *testing.T) {
	past := &fixedHistory{page: history.Page{Changes: make([]history.Change, 1000)}}
	whole, err := json.Marshal(past.page)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(historyHandler(t, past))
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	for accept, zipped := range map[string]bool{
		"": false, "gzip": true, "gzip, deflate, br, zstd": true, "gzip;q=0": false, "identity": false, "br": false,
		"gzip;q=0.1, identity;q=0": true,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			request, err := http.NewRequest(method, server.URL+"/signal/history", nil)
			if err != nil {
				t.Fatal(err)
			}
			if accept != "" {
				request.Header.Set("Accept-Encoding", accept)
			}
			answer, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode != 200 {
				t.Fatalf("%s with %q: %s, %v", method, accept, answer.Status, err)
			}
			wantHistory(t, method+" with "+accept, answer, body, whole, zipped)
		}
	}
}

// wantHistory checks a complete reply, compressed or not.
func wantHistory(t *testing.T, what string, answer *http.Response, body, whole []byte, zipped bool) {
	t.Helper()
	if vary := answer.Header.Get("Vary"); vary != "Accept-Encoding" {
		t.Errorf("%s: Vary is %q", what, vary)
	}
	if contentType := answer.Header.Get("Content-Type"); contentType != jsonType {
		t.Errorf("%s: the content type is %q", what, contentType)
	}
	if encoding := answer.Header.Get("Content-Encoding"); encoding == "gzip" != zipped || encoding != "gzip" &&
		encoding != "" {
		t.Errorf("%s: the encoding is %q", what, encoding)
	}
	switch length := answer.ContentLength; {
	case !zipped && length != int64(len(whole)):
		t.Errorf("%s: the length is %d, want %d", what, length, len(whole))
	case zipped && length >= int64(len(whole)): // the length may be unknown
		t.Errorf("%s: the length is %d, that of the whole %d", what, length, len(whole))
	}
	if answer.Request.Method == http.MethodHead {
		if len(body) > 0 {
			t.Errorf("%s: a body", what)
		}
		return
	}
	if zipped {
		unzip, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(body) > len(whole)/10 {
			t.Errorf("%s: %d bytes of %d", what, len(body), len(whole))
		}
		if body, err = io.ReadAll(unzip); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !bytes.Equal(body, whole) {
		t.Errorf("%s: the body is %.80q", what, body)
	}
}
