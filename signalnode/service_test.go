package signalnode

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
)

func TestCrashAndRecover(t *testing.T) {
	n := startNode(t)
	s, origin := n.Jicofo, n.Jicofo.Origin()
	s.Set("/stats", MustParseBehavior("code 503"))
	kept := dial(t, s, "/about/health") // HTTP/1.1: stays open after the reply
	if _, err := io.ReadFull(kept, make([]byte, 12)); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Dial("tcp", s.address) // a connection without a request
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for range 2 { // the second crash does nothing
		if err := s.Crash(); err != nil {
			t.Fatal(err)
		}
		if r := get(origin + "/stats"); !errors.Is(r.err, syscall.ECONNREFUSED) {
			t.Errorf("after the crash: got %+v, want a refused connection", r)
		}
	}
	for name, conn := range map[string]net.Conn{"kept": kept, "silent": silent} {
		if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the %s connection was not closed: %v", name, err)
		}
	}
	if r := get(n.Prosody.Origin() + "/http-bind"); r.code != 200 {
		t.Errorf("the other service: got %+v, want 200", r)
	}
	if err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	if s.Origin() != origin {
		t.Errorf("the origin is %s, was %s", s.Origin(), origin)
	}
	if r := get(origin + "/stats"); r.code != 200 {
		t.Errorf("after the recovery: got %+v, want 200", r)
	}
}

func TestCrashEndsWhatIsUnderWay(t *testing.T) {
	for _, behavior := range []string{"hang", "slow 1h", "drip", "huge"} {
		t.Run(behavior, func(t *testing.T) {
			n := startNode(t)
			n.Prosody.Set("", MustParseBehavior(behavior))
			replies := getLater(t, n.Prosody, "/http-bind")
			if err := n.Prosody.Crash(); err != nil {
				t.Fatal(err)
			}
			if r := await(t, replies); r.err == nil {
				t.Errorf("got %+v, want an error", r)
			}
			if exchanges(n.Prosody) != 0 {
				t.Error("an exchange outlived the crash")
			}
		})
	}
}

func TestRecoverOfARunningServiceMakesItHealthy(t *testing.T) {
	n := startNode(t)
	n.Jicofo.Set("", MustParseBehavior("hang"))
	replies := getLater(t, n.Jicofo, "/stats")
	if err := n.Jicofo.Recover(); err != nil {
		t.Fatal(err)
	}
	if r := await(t, replies); r.code != 200 {
		t.Errorf("got %+v, want 200", r)
	}
}

func TestRecoverFailsWhenThePortIsTaken(t *testing.T) {
	n := startNode(t)
	if err := n.Jicofo.Crash(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", n.Jicofo.address)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Jicofo.Recover(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v, want %v", err, syscall.EADDRINUSE)
	}
	l.Close()
	if err := n.Jicofo.Recover(); err != nil {
		t.Error(err)
	}
}

func TestCloseIsFinal(t *testing.T) {
	n := startNode(t)
	n.Jicofo.Set("", MustParseBehavior("hang"))
	replies := getLater(t, n.Jicofo, "/stats")
	for range 2 {
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if r := await(t, replies); r.err == nil {
		t.Errorf("got %+v, want an error", r)
	}
	if err := n.Jicofo.Recover(); err == nil {
		t.Error("recovered after Close")
	}
	if r := get(n.Jicofo.Origin()); !errors.Is(r.err, syscall.ECONNREFUSED) {
		t.Errorf("got %+v, want a refused connection", r)
	}
}

func TestRequestsAreKept(t *testing.T) {
	n := startNode(t)
	req, err := http.NewRequest(http.MethodGet, n.Prosody.Origin()+"/room-census?a=b", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = Domain
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	resp, err := newClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	count, latest := n.Prosody.Requests("/room-census")
	if count != 1 || len(latest) != 1 {
		t.Fatalf("got %d, %v", count, latest)
	}
	got := latest[0]
	if got.Method != "GET" || got.Path != "/room-census" || got.Query != "a=b" || got.Host != req.Host ||
		got.Header.Get("Traceparent") != req.Header.Get("Traceparent") {
		t.Errorf("got %+v", got)
	}
	if count, latest := n.Prosody.Requests("/http-bind"); count != 0 || latest != nil {
		t.Errorf("got %d, %v for a path without requests", count, latest)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	var q requests
	const many = 3 * keptRequests
	for i := range many {
		for _, path := range []string{"/stats", fmt.Sprint("/", i)} {
			r, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://node%s?%d", path, i), nil)
			if err != nil {
				t.Fatal(err)
			}
			q.add(r)
		}
	}
	for path, want := range map[string]int{"": 2 * many, "/stats": many} {
		count, latest := q.get(path)
		if count != want || len(latest) != keptRequests || latest[keptRequests-1].Query != fmt.Sprint(many-1) {
			t.Errorf("%q: got %d, the latest %+v; want %d, the latest %d of them", path, count, latest, want, keptRequests)
		}
	}
	if len(q.byPath) != keptPaths {
		t.Errorf("%d paths are kept, want %d", len(q.byPath), keptPaths)
	}
}

// TestEverythingAtOnce is for the race detector, and for anything that could keep Crash or Close from returning.
func TestEverythingAtOnce(t *testing.T) {
	n := startNode(t)
	var wg sync.WaitGroup
	repeat := func(f func(i int)) {
		wg.Go(func() {
			for i := range 30 {
				f(i)
			}
		})
	}
	for _, path := range []string{"/about/health", "/stats"} {
		repeat(func(int) { get(n.Jicofo.Origin() + path) })
		repeat(func(i int) {
			kind := []string{"healthy", "hang", "drip", "huge", "reset", "close", "truncate", "slow 1h"}[i%8]
			n.Jicofo.Set(path, MustParseBehavior(kind))
			n.Jicofo.Requests(path)
			n.SetLoad(i, i)
			n.state()
		})
	}
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	for {
		if err := errors.Join(n.Jicofo.Crash(), n.Jicofo.Recover()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
			return
		default:
		}
	}
}
