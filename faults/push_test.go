package faults_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync/atomic"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// push are the faults of what the sidecar sends to. None of them delays or changes a reply.
var push = []fault{
	collectorFails("is down", nil, "refused"),
	collectorFails("does not reply", hangs, "deadline|timeout|Timeout"),
	collectorFails("replies 403", replies(http.StatusForbidden, "denied"), "403"),
	collectorFails("replies 429 with Retry-After", overloaded, "slow down"),
	collectorFails("replies with garbage", garbage, "malformed"),
	collectorFails("redirects to a closed port", redirects, "refused"),
	consulFails("is down", nil, "unreachable"),
	consulFails("replies 403", replies(http.StatusForbidden, "Permission denied"), "denied"),
	consulFails("replies 429 with Retry-After", overloaded, "overloaded"),
	consulFails("replies with garbage", garbage, "unreachable"),
	consulFails("replies with a page", replies(http.StatusOK, "<html>log in"), "invalid_answer"),
	consulFails("redirects", redirects, "invalid_answer"),
	{
		does: "Consul does not reply", within: "about 2 min", tests: []string{"consul TestWatchFaults"},
		want: seen{also: "the status file stays as it is"},
	},
	{
		does: "Consul does not accept the report", within: atOnce, tests: []string{"consul TestReportFaults"},
		want: seen{also: "it is put again later, with back-off"},
	},
}

// server is an HTTP server that is replaced by one that fails.
type server struct {
	*httptest.Server
	failing atomic.Pointer[http.HandlerFunc]
}

// newServer returns a healthy server. It ends with the test.
func newServer(t *testing.T, well http.Handler) *server {
	t.Helper()
	v := new(server)
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fails := v.failing.Load(); fails != nil {
			(*fails)(w, r)
		} else {
			well.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(v.Close)
	t.Cleanup(v.CloseClientConnections)
	return v
}

// fail makes the server fail; nil makes it healthy again. Requests in flight are cut off.
func (v *server) fail(h http.HandlerFunc) {
	if h == nil {
		v.failing.Store(nil)
	} else {
		v.failing.Store(&h)
	}
	v.CloseClientConnections()
}

func replies(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

func hangs(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func overloaded(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "1")
	replies(http.StatusTooManyRequests, "slow down")(w, r)
}

func redirects(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Location", "http://127.0.0.1:1/")
	replies(http.StatusTemporaryRedirect, "")(w, r)
}

// garbage sends what is not HTTP.
func garbage(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_, _ = io.WriteString(conn, "\x00\xff garbage\r\n\r\n")
		_ = conn.Close()
	}
}

// collectorFails is a row of an OpenTelemetry Collector that does not accept telemetry. A nil handler stands for one
// that is down. The text is a regular expression for the logged error.
func collectorFails(does string, fails http.HandlerFunc, text string) fault {
	f := fault{
		does: "the OpenTelemetry Collector " + does, within: "OTEL_METRIC_EXPORT_INTERVAL + OTEL_EXPORTER_OTLP_TIMEOUT",
		want: seen{
			line: up, log: exportFails,
			also: "metric `signal_otlp_items_total{result=\"failed\"}` grows",
			check: func(t *testing.T, s *shard) {
				s.eventually(t, "the error "+text, func() bool { return s.exportFailed(text) })
				s.eventually(t, "failures to be counted", func() bool {
					n := s.Metric(`signal_otlp_items_total{result="failed",signal="metrics"}`)
					return n != "" && n != "0"
				})
			},
		},
	}
	f.prepare = func(t *testing.T, s *shard) {
		s.server = newServer(t, replies(http.StatusOK, ""))
		s.set(vars{
			"OTEL_EXPORTER_OTLP_ENDPOINT": s.server.URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
			"OTEL_METRIC_EXPORT_INTERVAL": "200", "OTEL_EXPORTER_OTLP_TIMEOUT": "500", "OTEL_METRIC_EXPORT_TIMEOUT": "500",
		})
	}
	f.failsBy(fails)
	recover := f.undo
	f.undo = func(t *testing.T, s *shard) {
		recover(t, s)
		s.eventually(t, "exports to work again", func() bool {
			return len(s.Logged("telemetry export works again", "signal", "metrics")) > 0
		})
	}
	return f
}

const exportFails = "telemetry export began to fail"

// exportFailed reports whether a failed export of metrics is logged with an error that matches.
func (s *shard) exportFailed(text string) bool {
	for _, e := range s.Logged(exportFails, "signal", "metrics") {
		if regexp.MustCompile(text).MatchString(fmt.Sprint(e["error"])) {
			return true
		}
	}
	return false
}

// consulFails is a row of a Consul that does not give the wanted state.
func consulFails(does string, fails http.HandlerFunc, kind string) fault {
	const key = "shard-state"
	consul := signalnode.NewConsul()
	f := fault{
		does: "Consul " + does, within: atOnce,
		want: seen{
			line: up, also: "the status file stays as it is; log `consul began to fail` with kind `" + kind + "`",
			check: func(t *testing.T, s *shard) {
				s.eventually(t, "the failure in /signal/explain", func() bool { return s.explain(t).Consul.Error != "" })
				s.eventually(t, "the log", func() bool { return s.consulFailed(kind) })
			},
		},
	}
	f.prepare = func(t *testing.T, s *shard) {
		consul.Datacenter("").Put(key, "ready")
		s.server = newServer(t, consul)
		s.set(vars{"CONSUL_HTTP_ADDR": s.server.URL, "CONSUL_STATUS": "true", "CONSUL_STATUS_KEY": key})
	}
	f.failsBy(fails)
	recover := f.undo
	f.undo = func(t *testing.T, s *shard) {
		recover(t, s)
		consul.Datacenter("").Put(key, "drain")
		s.Becomes(t, "up drain 0%")
		consul.Datacenter("").Put(key, "ready")
	}
	return f
}

// consulFailed reports whether a failure of a kind is logged.
func (s *shard) consulFailed(kind string) bool {
	return len(s.Logged("consul began to fail", "kind", kind)) > 0 ||
		len(s.Logged("consul fails differently", "kind", kind)) > 0
}

// failsBy makes the server of the row fail by a handler, or go down for nil.
func (f *fault) failsBy(fails http.HandlerFunc) {
	f.inject = func(t *testing.T, s *shard) { s.server.fail(fails) }
	f.undo = func(t *testing.T, s *shard) { s.server.fail(nil) }
	if fails != nil {
		return
	}
	prepare := f.prepare
	f.prepare = func(t *testing.T, s *shard) {
		prepare(t, s)
		// A relay on a lasting port goes down: the server itself cannot be started again on its port.
		s.relay = newRelay(t, s.server.Listener.Addr().String())
		for name, value := range s.settings {
			if value == s.server.URL {
				s.settings[name] = "http://" + s.relay.address
			}
		}
	}
	f.inject = func(t *testing.T, s *shard) { s.relay.stop() }
	f.undo = func(t *testing.T, s *shard) { s.relay.start(t) }
}

// relay passes connections on to a server until it is stopped.
type relay struct {
	address, to string
	peer        *peer
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	r := &relay{address: testbed.LastingAddress(t), to: to}
	r.start(t)
	return r
}

func (r *relay) start(t *testing.T) {
	t.Helper()
	r.peer = newPeer(t, r.address, nil)
	r.peer.set(r.pass)
}

func (r *relay) stop() {
	_ = r.peer.Close()
	r.peer.set(nil)
}

func (r *relay) pass(from net.Conn) {
	to, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(from, to)
		_ = from.Close()
	}()
	_, _ = io.Copy(to, from)
	_ = to.Close()
	<-back
}
