package collector

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// countDials makes the rig count the connections it opens.
func countDials(r *rig) *atomic.Int64 {
	n := new(atomic.Int64)
	var dialer net.Dialer
	r.options.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		n.Add(1)
		return dialer.DialContext(ctx, network, address)
	}
	return n
}

// TestProbeBehaviors probes a service with every behavior of the simulator.
func TestProbeBehaviors(t *testing.T) {
	t.Parallel()
	const short = time.Second // for cases that end in a timeout
	tests := []struct {
		behavior string
		retries  int
		timeout  time.Duration // 0 for a long one
		code     int
		failure  health.Failure
		requests int // received by the service
		attempts int // made by the probe; each transport error costs one, on its own connection
		outcome  string
	}{
		{"healthy", 2, 0, 200, "", 1, 1, "ok"},
		{"code 200", 2, 0, 200, "", 1, 1, "ok"},
		{"code 204", 2, 0, 204, "", 1, 1, "http_error"},
		{"code 302", 2, 0, 302, "", 1, 1, "http_error"}, // without a Location
		{"code 404", 2, 0, 404, "", 1, 1, "http_error"},
		{"code 500", 2, 0, 500, "", 1, 1, "http_error"},
		{"code 503", 2, 0, 503, "", 1, 1, "http_error"},
		{"code 599", 2, 0, 599, "", 1, 1, "http_error"},
		{"body", 2, 0, 200, "", 1, 1, "ok"},
		{"notjson", 2, 0, 200, "", 1, 1, "ok"}, // for prosody only the status code matters
		{"slow 50ms", 2, 0, 200, "", 1, 1, "ok"},
		{"slow 1m", 2, short, 0, health.FailureTimeout, 1, 1, "timeout"},
		{"hang", 2, short, 0, health.FailureTimeout, 1, 1, "timeout"},
		{"drip", 2, short, 0, health.FailureTimeout, 1, 1, "timeout"},
		{"huge", 2, 0, 0, health.FailureBodySize, 1, 1, "body_too_large"},
		{"reset", 2, 0, 0, health.FailureReset, 3, 3, "connection_reset"},
		{"reset", 0, 0, 0, health.FailureReset, 1, 1, "connection_reset"},
		{"reset 1", 0, 0, 0, health.FailureReset, 1, 1, "connection_reset"},
		{"reset 1", 2, 0, 200, "", 2, 2, "ok"},
		{"reset 2", 2, 0, 200, "", 3, 3, "ok"},
		{"reset 3", 2, 0, 0, health.FailureReset, 3, 3, "connection_reset"},
		{"reset 3", 3, 0, 200, "", 4, 4, "ok"},
		{"close", 2, 0, 0, health.FailureReset, 3, 3, "connection_reset"},
		{"truncate", 2, 0, 0, health.FailureReset, 3, 3, "connection_reset"},
		{"garbage", 2, 0, 0, health.FailureProtocol, 3, 3, "malformed_response"},
		{"crash", 2, 0, 0, health.FailureRefused, 0, 3, "connection_refused"},
		{"crash", 0, 0, 0, health.FailureRefused, 0, 1, "connection_refused"},
		{"redirect 1", 2, 0, 200, "", 2, 1, "ok"},
		{"redirect 5", 2, 0, 200, "", 6, 1, "ok"},
		{"redirect 6", 2, 0, 0, health.FailureRedirects, 6, 1, "too_many_redirects"},
		{"redirect loop", 2, 0, 0, health.FailureRedirects, 6, 1, "too_many_redirects"},
	}
	for _, tt := range tests {
		t.Run(tt.behavior, func(t *testing.T) {
			t.Parallel()
			node, r := startNode(t), newRig(t)
			behave(t, node.Prosody, "/http-bind", tt.behavior)
			r.options.Retries = tt.retries
			if tt.timeout > 0 {
				r.options.Timeout = tt.timeout
			}
			dials := countDials(r)
			stop := r.run(NewProsody(node.Prosody.Origin(), r.options))
			got := r.next().Prosody.Health
			stop()

			if got.Code != tt.code || got.Failure != tt.failure || (got.Detail == "") != (tt.failure == "") {
				t.Errorf("answer = %+v, want code %d, failure %q, a detail with a failure only", got, tt.code, tt.failure)
			}
			// A probe with a timeout is repeated if this process did not run for a while, as on a busy machine.
			exact := tt.timeout == 0
			if n, _ := node.Prosody.Requests("/http-bind"); n < tt.requests || exact && n != tt.requests {
				t.Errorf("the service saw %d requests, want %d", n, tt.requests)
			}
			n := int(r.measured("signal.probe.attempts")["probe=prosody"])
			if n < tt.attempts || exact && n != tt.attempts {
				t.Errorf("signal.probe.attempts = %d, want %d", n, tt.attempts)
			}
			if n := dials.Load(); tt.attempts > 1 && n != int64(tt.attempts) {
				t.Errorf("%d connections were opened for %d attempts", n, tt.attempts)
			}
			if n := r.measured("signal.probe.results")["outcome="+tt.outcome+",probe=prosody"]; n != 1 {
				t.Errorf("signal.probe.results = %v, want one %s", r.measured("signal.probe.results"), tt.outcome)
			}
			r.quiet()
		})
	}
}

// TestProbeWire probes peers whose replies no HTTP server would send.
func TestProbeWire(t *testing.T) {
	tests := []struct {
		name, wire string
		failure    health.Failure
	}{
		{"status code of 000", "HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n", health.FailureProtocol},
		{"status code of 42", "HTTP/1.1 042 Nothing\r\nContent-Length: 0\r\n\r\n", health.FailureProtocol},
		{"status code of four digits", "HTTP/1.1 2000 OK\r\n\r\n", health.FailureProtocol},
		{"endless informational replies", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1000), health.FailureProtocol},
		{"no status code", "HTTP/1.1\r\n\r\n", health.FailureProtocol},
		{"other protocol", "SSH-2.0-OpenSSH_9.6\r\n\r\n", health.FailureProtocol},
		{"header without colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", health.FailureProtocol},
		{"header of raw bytes", "HTTP/1.1 200 OK\r\n\xff\xfe\x00nonsense\r\n\r\n", health.FailureProtocol},
		{"long line", strings.Repeat("x", 60_000) + "\r\n\r\n", health.FailureProtocol},
		{"long header line", "HTTP/1.1 200 OK\r\n" + strings.Repeat("\xff", 60_000) + "\r\n\r\n", health.FailureProtocol},
		{"endless headers", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 20_000), health.FailureProtocol},
		{"chunk length", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", health.FailureProtocol},
		{"chunk end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nABC\r\n", health.FailureProtocol},
		{"transfer encoding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: rot13\r\n\r\n", health.FailureProtocol},
		{"content length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", health.FailureProtocol},
		{"half a status line", "HTTP/1.1 20", health.FailureProtocol},
		{"half a header", "HTTP/1.1 200 OK\r\nContent-Le", health.FailureProtocol},
		{"half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nAB", health.FailureReset},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.options.Retries = 0
			r.run(NewProsody(serveWire(t, tt.wire), r.options))
			got := r.next().Prosody.Health
			if got.Failure != tt.failure || got.Code != 0 {
				t.Errorf("answer = %d, %q, %.200q; want %q", got.Code, got.Failure, got.Detail, tt.failure)
			}
			if len(got.Detail) > 1000 || !utf8.ValidString(got.Detail) {
				t.Errorf("a detail of %d bytes, valid UTF-8: %t; it goes into reports and logs", len(got.Detail),
					utf8.ValidString(got.Detail))
			}
		})
	}
}

// TestInformationalReplies checks that a few informational replies before the final one are accepted, and that the
// detail of a failure because of too many names them.
func TestInformationalReplies(t *testing.T) {
	for n, want := range map[int]health.Answer{
		5: {Code: 200}, 6: {Failure: health.FailureProtocol, Detail: "more than 5 informational replies (1xx)"},
	} {
		r := newRig(t)
		stop := r.run(NewProsody(serveWire(t, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", n)+
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), r.options))
		got := r.next().Prosody.Health
		if got.Code != want.Code || got.Failure != want.Failure || !strings.Contains(got.Detail, want.Detail) {
			t.Errorf("%d replies: %+v", n, got)
		}
		stop()
	}
}

// TestSwitchingProtocols checks that the data after a 101 is not read as a body, so that no probe waits for its end.
func TestSwitchingProtocols(t *testing.T) {
	r := newRig(t)
	stop := r.run(NewProsody(serveWire(t,
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), r.options))
	if got := r.next().Prosody.Health; got.Code != 101 {
		t.Errorf("answer = %d, %q, %s", got.Code, got.Failure, got.Detail)
	}
	stop()
}

// TestProbeTLS checks that failed handshakes are distinguished from other failures.
func TestProbeTLS(t *testing.T) {
	server := func(t *testing.T, config *tls.Config) string {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = silent
		s.TLS = config
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL
	}
	tests := []struct {
		name   string
		origin func(t *testing.T) string
	}{
		{"unknown authority", func(t *testing.T) string { return server(t, nil) }},
		{"protocol version", func(t *testing.T) string {
			return server(t, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
		}},
		{"plain HTTP", func(t *testing.T) string {
			return strings.Replace(serveBodies(t, nil), "http:", "https:", 1)
		}},
		{"not TLS at all", func(t *testing.T) string {
			return strings.Replace(serveWire(t, "SSH-2.0-OpenSSH_9.6\r\n"), "http:", "https:", 1)
		}},
		{"refused by the server", func(t *testing.T) string { // an alert, for which crypto/tls has no exported type
			return strings.Replace(serveWire(t, "\x15\x03\x03\x00\x02\x02\x28"), "http:", "https:", 1)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.run(NewProsody(tt.origin(t), r.options))
			if got := r.next().Prosody.Health; got.Failure != health.FailureTLS || got.Detail == "" {
				t.Errorf("answer = %+v, want %q", got, health.FailureTLS)
			}
		})
	}
}

// TestProbeNameResolution checks that a name that cannot be resolved is distinguished from a service that is down, also
// if the name server refuses connections.
func TestProbeNameResolution(t *testing.T) {
	closed, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	r := newRig(t)
	dialer := net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(
		ctx context.Context, _, _ string,
	) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", closed.LocalAddr().String())
	}}}
	r.options.Dial = dialer.DialContext
	r.run(NewProsody("http://prosody.example.com.:5280", r.options))
	if got := r.next().Prosody.Health; got.Failure != health.FailureResolve {
		t.Errorf("answer = %+v, want %q", got, health.FailureResolve)
	}
}

// TestProbeIdleConnection lets the service close the connection that was kept from the previous poll, as Jetty and
// Netty do after a while. That is no failure, even without retries.
func TestProbeIdleConnection(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	r := newRig(t)
	r.options.Interval, r.options.Retries = 10*time.Millisecond, 0
	stop := r.run(NewProsody(s.URL, r.options))
	for range 50 {
		if got := r.next().Prosody.Health; !got.OK() {
			t.Fatalf("answer = %+v", got)
		}
		s.Config.SetKeepAlivesEnabled(false) // closes the idle connections
		s.Config.SetKeepAlivesEnabled(true)
	}
	stop()
	if got := r.log.String(); got != "" {
		t.Errorf("logged:\n%s", got)
	}
}

// TestProbeKeepsConnection checks that consecutive polls use one connection, and that none is open at the end.
func TestProbeKeepsConnection(t *testing.T) {
	open := new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	s.Start()
	defer s.Close()
	r := newRig(t)
	r.options.Interval = time.Millisecond
	dials := countDials(r)
	stop := r.run(NewProsody(s.URL, r.options))
	for range 10 {
		r.next()
	}
	stop()
	if n := dials.Load(); n != 1 {
		t.Errorf("%d connections were opened for 10 polls in a row", n)
	}
	testbed.Eventually(t, "the connection to be closed with the collector", bound, func() bool { return open.Load() == 0 })
}

// TestProbeRetriesOnFreshConnections checks that an attempt uses no connection of the previous one, even if that
// connection worked.
func TestProbeRetriesOnFreshConnections(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/http-bind" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		panic(http.ErrAbortHandler)
	}))
	defer s.Close()
	r := newRig(t)
	dials := countDials(r)
	stop := r.run(NewProsody(s.URL, r.options))
	if got := r.next().Prosody.Health; got.Failure != health.FailureReset {
		t.Errorf("answer = %+v", got)
	}
	stop()
	if n := dials.Load(); n < 3 {
		t.Errorf("%d connections were opened for 3 tries", n)
	}
}

// TestProbeIgnoresProxies checks that the node is probed directly, even if the environment configures a proxy.
func TestProbeIgnoresProxies(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	// net/http reads the environment once and uses no proxy for loopback, so the address is another one.
	r := newRig(t)
	dialed := make(chan string, 10)
	r.options.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
		dialed <- address
		return nil, net.ErrClosed
	}
	probeOf(t, r, "http://192.0.2.1:5280/").run(t.Context(), anyBody)
	if got := <-dialed; got != "192.0.2.1:5280" {
		t.Errorf("dialed %s", got)
	}
}
