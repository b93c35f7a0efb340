package e2e

import (
	"io"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// trouble is a backend that accepts no telemetry; stop ends it.
type trouble func(t *testing.T, address string) (stop func())

// gone is a backend that does not run.
func gone(*testing.T, string) (stop func()) { return func() {} }

// mute accepts connections and reads from them, and never replies.
func mute(t *testing.T, address string) (stop func()) {
	l := listen(t, address)
	var all sync.WaitGroup
	closing := make(chan struct{})
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { _, _ = io.Copy(io.Discard, conn) })
			all.Go(func() { <-closing; _ = conn.Close() })
		}
	})
	stop = sync.OnceFunc(func() { _ = l.Close(); close(closing); all.Wait() })
	t.Cleanup(stop)
	return stop
}

// refusing replies 503.
func refusing(t *testing.T, address string) (stop func()) {
	l := listen(t, address)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusServiceUnavailable)
	})}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	stop = sync.OnceFunc(func() { _ = server.Close(); <-ended })
	t.Cleanup(stop)
	return stop
}

// hurried polls much more often than in production, with a small queue and short timeouts.
var hurried = vars{
	"POLLING_INTERVAL": "0.01", "OTEL_BSP_MAX_QUEUE_SIZE": "64",
	"OTEL_EXPORTER_OTLP_TIMEOUT": "1000", "OTEL_BSP_EXPORT_TIMEOUT": "1000",
	"OTEL_BLRP_EXPORT_TIMEOUT": "1000", "OTEL_METRIC_EXPORT_TIMEOUT": "1000",
}

// TestBackendInTrouble makes the backend of telemetry fail and come back, and checks the agent's replies meanwhile.
func TestBackendInTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		trouble  trouble
		protocol string
		drops    bool // the trouble lasts until the queue is full
	}{
		"gone, HTTP":  {gone, "http/protobuf", false},
		"gone, gRPC":  {gone, "grpc", true},
		"mute, HTTP":  {mute, "http/protobuf", true},
		"mute, gRPC":  {mute, "grpc", true},
		"503 answers": {refusing, "http/protobuf", true},
	} {
		t.Run(name, func(t *testing.T) {
			address := testbed.LastingAddress(t)
			r := startReceiver(t, test.protocol, address)
			s := startShard(t, pushingTo(address, test.protocol).With(hurried))
			testbed.Eventually(t, "spans to arrive", bound, func() bool { return r.traces.SpanCount() > 0 })

			r.stop()
			stopTrouble := test.trouble(t, address)
			testbed.Eventually(t, "failed exports of every signal", bound, func() bool {
				return s.items("traces", "failed") > 0 && s.items("metrics", "failed") > 0
			})
			if test.drops {
				testbed.Eventually(t, "dropped spans", bound, func() bool { return s.items("traces", "dropped") > 0 })
			}
			checkAgent(t, s)
			stopTrouble()

			r = startReceiver(t, test.protocol, address)
			testbed.Eventually(t, "spans to arrive again", bound, func() bool { return r.traces.SpanCount() > 0 })
			testbed.Eventually(t, "the log to tell the end", bound, func() bool {
				return len(s.Logged("telemetry export works again", "signal", "traces")) > 0
			})
			s.awaitProbes(t, 100, "ok")
			for _, message := range []string{"telemetry export began to fail", "telemetry export works again"} {
				if n := len(s.Logged(message, "signal", "traces")); n != 1 {
					t.Errorf("%d lines %q of traces, want 1", n, message)
				}
			}
			if mib := s.PeakMemory(t) >> 20; mib >= 100 {
				t.Errorf("the sidecar took %d MiB", mib)
			}
			if code, _ := s.Stop(t, syscall.SIGTERM); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// checkAgent changes the node's status repeatedly, and checks that the agent's reply follows at once.
func checkAgent(t *testing.T, s *shard) {
	t.Helper()
	const patience = time.Second // for a busy machine; normally it is some 100 µs
	for range 10 {
		for word, line := range map[string]string{"drain": "up drain 0%", "maint": "up maint 0%", "ready": "up ready 100%"} {
			s.Say(t, word)
			s.Becomes(t, line)
			for range 10 {
				said, took := s.ask(t)
				if said != line {
					t.Fatalf("the agent says %q, want %q", said, line)
				}
				if took > patience {
					t.Fatalf("the agent took %s", took)
				}
			}
		}
	}
	s.Say(t, "ready")
	s.Becomes(t, "up ready 100%")
}

// TestStopWithMuteBackend checks that a backend that does not reply does not delay the shutdown.
func TestStopWithMuteBackend(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			address := testbed.LastingAddress(t)
			mute(t, address)
			s := startShard(t, pushingTo(address, protocol)) // with the default timeouts of OpenTelemetry
			s.awaitProbes(t, 20, "ok")
			if code, took := s.Stop(t, syscall.SIGTERM); code != 0 || took > 4*time.Second {
				t.Errorf("exit code %d after %s", code, took)
			}
		})
	}
}
