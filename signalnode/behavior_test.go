package signalnode

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestAnswers covers the behaviors that send a complete HTTP reply.
func TestAnswers(t *testing.T) {
	const (
		health = "/about/health"
		stats  = "/stats"
		bosh   = "/http-bind"
		census = "/room-census"
	)
	for _, tt := range []struct {
		behavior, path string
		code           int
		contentType    string
		body           string // a part of it
		requests       int
	}{
		{"healthy", health, 200, "text/plain", "OK", 1},
		{"healthy", stats, 200, "application/json", `"participants":10,`, 1},
		{"healthy", bosh, 200, "text/html", "It works!", 1},
		{"healthy", census, 200, "application/json", `{"room_census":[{"room_name":"`, 1},
		{"healthy", "/elsewhere", 404, "text/plain", "Not Found", 1},
		{"code 200", health, 200, "text/plain", "OK", 1},
		{"code 204", health, 204, "text/plain", "", 1},
		{"code 500", health, 500, "text/plain", "No operational bridges available (total bridge count: 0)", 1},
		{"code 503", health, 503, "text/plain", "Health check timed out, overloaded", 1},
		{"code 503", stats, 503, "text/plain", "Service Unavailable", 1},
		{"code 301", bosh, 301, "text/html", "301 Moved Permanently", 1},
		{"code 502", bosh, 502, "text/html", "502 Bad Gateway", 1},
		{"slow 1ms", bosh, 200, "text/html", "It works!", 1},
		{"body", health, 200, "text/plain", "", 1},
		{`body {"participants": "many"}`, stats, 200, "application/json", `{"participants": "many"}`, 1},
		{"notjson", stats, 200, "application/json", "<this is not JSON>", 1},
		{"redirect 1", stats, 200, "application/json", `"conferences":3,`, 2},
		{"redirect 5", bosh, 200, "text/html", "It works!", 6},
	} {
		t.Run(tt.behavior+tt.path, func(t *testing.T) {
			n := startNode(t)
			n.SetDomain("127.0.0.1")
			s := n.Jicofo
			if tt.path == bosh || tt.path == census {
				s = n.Prosody
			}
			s.Set(tt.path, MustParseBehavior(tt.behavior))
			r := get(s.Origin() + tt.path)
			if r.err != nil || r.code != tt.code || !strings.HasPrefix(r.contentType, tt.contentType) ||
				!strings.Contains(r.body, tt.body) {
				t.Errorf("got %+v; want %+v", r, tt)
			}
			if count, _ := s.Requests(tt.path); count != tt.requests {
				t.Errorf("%d requests, want %d", count, tt.requests)
			}
		})
	}
}

// TestBrokenAnswers covers the behaviors that send no reply or an incomplete one, as a client sees them.
func TestBrokenAnswers(t *testing.T) {
	for _, tt := range []struct {
		behavior string
		is       error  // the error, or
		says     string // a part of its text
	}{
		{"reset", syscall.ECONNRESET, ""},
		{"close", io.EOF, ""},
		{"truncate", io.ErrUnexpectedEOF, ""},
		{"garbage", nil, "malformed HTTP"},
		{"redirect loop", nil, "stopped after 10 redirects"},
	} {
		for _, path := range []string{"/about/health", "/stats"} {
			t.Run(tt.behavior+path, func(t *testing.T) {
				n := startNode(t)
				n.Jicofo.Set("", MustParseBehavior(tt.behavior))
				err := get(n.Jicofo.Origin() + path).err
				if err == nil || !strings.Contains(err.Error(), tt.says) || tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("got %v; want %v%s", err, tt.is, tt.says)
				}
			})
		}
	}
}

func TestResetAndCloseDifferOnTheWire(t *testing.T) {
	n := startNode(t)
	for behavior, want := range map[string]error{"reset": syscall.ECONNRESET, "close": io.EOF} {
		n.Prosody.Set("", MustParseBehavior(behavior))
		if _, err := dial(t, n.Prosody, "/http-bind").Read(make([]byte, 1)); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", behavior, err, want)
		}
	}
}

func TestResetsEnd(t *testing.T) {
	n := startNode(t)
	n.Jicofo.Set("/stats", MustParseBehavior("reset 2"))
	for i := range 2 {
		if r := get(n.Jicofo.Origin() + "/stats"); !errors.Is(r.err, syscall.ECONNRESET) {
			t.Fatalf("request %d: got %+v, want a reset", i, r)
		}
		if r := get(n.Jicofo.Origin() + "/about/health"); r.code != 200 {
			t.Fatalf("the other path: got %+v, want 200", r)
		}
	}
	if r := get(n.Jicofo.Origin() + "/stats"); r.code != 200 {
		t.Errorf("after the resets: got %+v, want 200", r)
	}
	if count, _ := n.Jicofo.Requests("/stats"); count != 3 {
		t.Errorf("%d requests, want 3", count)
	}
}

func TestTruncateAnnouncesTheWhole(t *testing.T) {
	n := startNode(t)
	n.SetDomain("127.0.0.1")
	whole := get(n.Prosody.Origin() + "/room-census")
	n.Prosody.Set("", MustParseBehavior("truncate"))
	r := get(n.Prosody.Origin() + "/room-census")
	if r.code != 200 || r.length != int64(len(whole.body)) || r.body != whole.body[:len(whole.body)/2] {
		t.Errorf("got %+v; want half of %+v", r, whole)
	}
}

func TestHangHoldsTheConnection(t *testing.T) {
	n := startNode(t)
	n.Prosody.Set("", MustParseBehavior("hang"))
	conn := dial(t, n.Prosody, "/http-bind")
	testbed.Eventually(t, "the request to hang", bound, func() bool { return exchanges(n.Prosody) == 1 })
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if got, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d, %v; want an open connection without an answer", got, err)
	}
	conn.Close()
	testbed.Eventually(t, "the node to notice that the client is gone", bound,
		func() bool { return exchanges(n.Prosody) == 0 })
}

func TestHungRequestsFollowTheBehavior(t *testing.T) {
	for _, first := range []string{"hang", "slow 1h"} {
		t.Run(first, func(t *testing.T) {
			n := startNode(t)
			n.Jicofo.Set("", MustParseBehavior(first))
			replies := getLater(t, n.Jicofo, "/about/health")
			n.Jicofo.Set("/stats", MustParseBehavior("code 503")) // not the path of the requests
			n.Jicofo.Set("", MustParseBehavior("hang"))           // the same behavior as before
			testbed.Eventually(t, "the request to hang again", bound, func() bool { return exchanges(n.Jicofo) == 1 })
			n.Jicofo.Set("/about/health", MustParseBehavior("code 500"))
			if r := await(t, replies); r.code != 500 {
				t.Errorf("got %+v, want 500", r)
			}
			if count, _ := n.Jicofo.Requests(""); count != 1 {
				t.Errorf("%d requests, want 1", count)
			}
		})
	}
}

func TestSetOfAPathLeavesOthersHanging(t *testing.T) {
	n := startNode(t)
	n.Jicofo.Set("", MustParseBehavior("hang"))
	replies := getLater(t, n.Jicofo, "/about/health")
	n.Jicofo.Set("/stats", Behavior{})
	if r := get(n.Jicofo.Origin() + "/stats"); r.code != 200 {
		t.Errorf("/stats: got %+v, want 200", r)
	}
	n.Jicofo.mu.Lock()
	for e := range n.Jicofo.exchanges {
		if e.ctx.Err() != nil {
			t.Errorf("%s was interrupted", e.r.URL.Path)
		}
	}
	n.Jicofo.mu.Unlock()
	n.Jicofo.Set("", Behavior{})
	if r := await(t, replies); r.code != 200 {
		t.Errorf("got %+v, want 200", r)
	}
}

func TestSlowTakesItsTime(t *testing.T) {
	n := startNode(t)
	n.Prosody.Set("", MustParseBehavior("slow 30ms"))
	began := time.Now()
	if r := get(n.Prosody.Origin() + "/http-bind"); r.code != 200 || time.Since(began) < 30*time.Millisecond {
		t.Errorf("got %+v after %v; want 200 after 30ms", r, time.Since(began))
	}
}

func TestDripAndHugeGoOn(t *testing.T) {
	for behavior, size := range map[string]int64{"drip": 3, "huge": 2 << 20} {
		t.Run(behavior, func(t *testing.T) {
			n := startNode(t)
			n.Jicofo.Set("", MustParseBehavior(behavior))
			resp, err := newClient().Get(n.Jicofo.Origin() + "/stats")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != 200 || resp.ContentLength != -1 {
				t.Errorf("got %d, Content-Length %d; want 200 without one", resp.StatusCode, resp.ContentLength)
			}
			if _, err := io.CopyN(io.Discard, resp.Body, size); err != nil {
				t.Fatalf("the body ended: %v", err)
			}
			n.Jicofo.Set("", Behavior{})
			if _, err := io.Copy(io.Discard, resp.Body); err == nil {
				t.Error("the body ended properly, not cut off by the change of behavior")
			}
		})
	}
}

func TestStreamsEndWithTheClient(t *testing.T) {
	for _, behavior := range []string{"drip", "huge"} {
		t.Run(behavior, func(t *testing.T) {
			n := startNode(t)
			n.Jicofo.Set("", MustParseBehavior(behavior))
			conn := dial(t, n.Jicofo, "/stats")
			if _, err := io.ReadFull(conn, make([]byte, 64)); err != nil {
				t.Fatal(err)
			}
			conn.Close()
			testbed.Eventually(t, "the exchange to end", bound, func() bool { return exchanges(n.Jicofo) == 0 })
		})
	}
}

// TestChangeFreesBlockedWrites has a client that reads nothing, so that the huge body fills all buffers.
func TestChangeFreesBlockedWrites(t *testing.T) {
	n := startNode(t)
	n.Jicofo.Set("", MustParseBehavior("huge"))
	dial(t, n.Jicofo, "/stats")
	testbed.Eventually(t, "the exchange to begin", bound, func() bool { return exchanges(n.Jicofo) == 1 })
	n.Jicofo.Set("", Behavior{})
	testbed.Eventually(t, "the exchange to end", bound, func() bool { return exchanges(n.Jicofo) == 0 })
}

func TestHeadOfAStreamIsComplete(t *testing.T) {
	n := startNode(t)
	n.Jicofo.Set("", MustParseBehavior("huge"))
	resp, err := newClient().Head(n.Jicofo.Origin() + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	testbed.Eventually(t, "the exchange to end", bound, func() bool { return exchanges(n.Jicofo) == 0 })
}

func TestCancelledRequestEndsItsExchange(t *testing.T) {
	n := startNode(t)
	n.Jicofo.Set("", MustParseBehavior("slow 1h"))
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.Jicofo.Origin()+"/stats",
		strings.NewReader("read it all"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		resp, err := newClient().Do(req)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	testbed.Eventually(t, "the exchange to begin", bound, func() bool { return exchanges(n.Jicofo) == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	testbed.Eventually(t, "the exchange to end", bound, func() bool { return exchanges(n.Jicofo) == 0 })
}

func TestContents(t *testing.T) {
	n := startNode(t)
	n.SetDomain("127.0.0.1")
	n.SetLoad(6000, 250)
	var stats map[string]any
	if err := json.Unmarshal([]byte(get(n.Jicofo.Origin()+"/stats").body), &stats); err != nil {
		t.Fatal(err)
	}
	if stats["participants"] != 6000.0 || stats["conferences"] != 250.0 || stats["largest_conference"] != 24.0 {
		t.Errorf("got %v", stats)
	}
	for _, key := range []string{"total_participants", "total_conferences_created", "conferences_with_visitors",
		"visitors",
		"endpoint_pairs", "threads", "slow_health_check", "conference_sizes", "bridge_selector", "jibri_detector",
		"sip_jibri_detector", "jigasi_detector", "bridge_failures", "queues", "xmpp"} {
		if _, ok := stats[key]; !ok {
			t.Errorf("/stats has no %s", key)
		}
	}
	for want, rooms := range map[string][]Room{
		`{"room_census":[]}`: nil,
		`{"room_census":[{"room_name":"a","participants":2,"created_time":1700000000000},` +
			`{"room_name":"b","participants":0,"created_time":"1700000000001","leaked":true},{"room_name":"c","participants":1}]}`: {
			{Name: "a", Participants: 2, CreatedTime: 1700000000000},
			{Name: "b", CreatedTime: "1700000000001", Leaked: true},
			{Name: "c", Participants: 1},
		},
	} {
		n.SetRooms(rooms)
		if got := get(n.Prosody.Origin() + "/room-census").body; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	n.SetRooms([]Room{{Name: "a", CreatedTime: func() {}}})
	if r := get(n.Prosody.Origin() + "/room-census"); r.code != 500 {
		t.Errorf("a row that JSON cannot say: got %+v, want 500", r)
	}
}

// TestCensusHost checks that only the node's domain has a census. The BOSH endpoint replies to every Host.
func TestCensusHost(t *testing.T) {
	n := startNode(t)
	check := func(host string, census int) {
		t.Helper()
		for path, want := range map[string]int{"/room-census": census, "/http-bind": http.StatusOK} {
			req, err := http.NewRequest(http.MethodGet, n.Prosody.Origin()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = host
			res, err := newClient().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("%s of host %q: got %d, want %d", path, host, res.StatusCode, want)
			}
		}
	}
	for _, host := range []string{Domain, Domain + ":5280", strings.ToUpper(Domain)} {
		check(host, http.StatusOK)
	}
	for _, host := range []string{"conference." + Domain, "", "127.0.0.1", "[::1]:5280", "example.com",
		Domain + ".example"} {
		check(host, http.StatusNotFound)
	}
	n.SetDomain("other.example")
	check("other.example", http.StatusOK)
	check(Domain, http.StatusNotFound)
}

func TestCensusWantsAHost(t *testing.T) {
	n := startNode(t)
	conn, err := net.Dial("tcp", n.Prosody.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /room-census HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.0 400 Bad Request\r\n") {
		t.Errorf("got %q, %v; want 400", got, err)
	}
}
