package e2e

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// pushingTo returns the settings that push all signals to a receiver.
func pushingTo(address, protocol string) vars {
	return vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + address, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
}

func TestPush(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			r := startReceiver(t, protocol, testbed.LastingAddress(t))
			s := startShard(t, pushingTo(r.address, protocol).With(vars{
				"OTEL_RESOURCE_ATTRIBUTES":   "jitsi.shard=shard-7",
				"OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=jitsi,authorization=Bearer%20secret",
			}))

			t.Run("a poll is one trace", func(t *testing.T) { checkPollTrace(t, r) })
			t.Run("spans say where they are from", func(t *testing.T) { checkResource(t, s, r.spans()[0].resource) })
			t.Run("headers arrive", func(t *testing.T) {
				if got := r.header("x-tenant") + ", " + r.header("authorization"); got != "jitsi, Bearer secret" {
					t.Errorf("the headers x-tenant and authorization came as %s", got)
				}
			})
			t.Run("metrics", func(t *testing.T) {
				for _, name := range []string{"signal_health", "signal.verdict.weight", "signal.probe.duration",
					"signal.otlp.items", "signal.build_info", "go.goroutines"} {
					testbed.Eventually(t, "metric "+name, bound, func() bool { names, _ := r.metricNames(); return names[name] })
				}
				_, resource := r.metricNames()
				checkResource(t, s, resource)
			})
			t.Run("logs", func(t *testing.T) {
				var change record
				testbed.Eventually(t, "the change of the verdict in the log", bound, func() bool {
					for _, l := range r.records() {
						if l.message == "verdict changed" {
							change = l
						}
					}
					return change.message != ""
				})
				checkResource(t, s, change.resource)
				checkTraceOf(t, r, change)
			})
			t.Run("all is counted", func(t *testing.T) {
				for _, signal := range []string{"traces", "metrics", "logs"} {
					testbed.Eventually(t, signal+" counted as exported", bound, func() bool { return s.items(signal, "exported") > 0 })
					if failed, dropped := s.items(signal, "failed"), s.items(signal, "dropped"); failed != 0 || dropped != 0 {
						t.Errorf("%d %s failed and %d were dropped", failed, signal, dropped)
					}
				}
			})
			checkFlush(t, s, r)
		})
	}
}

// checkPollTrace checks that the span of an attempt is a child of the probe's, and that one of the poll's.
func checkPollTrace(t *testing.T, r *receiver) {
	for _, names := range [][3]string{
		{"GET", "probe jicofo_health", "poll jicofo"},
		{"GET", "probe jicofo_stats", "poll jicofo"},
		{"GET", "probe prosody", "poll prosody"},
	} {
		testbed.Eventually(t, fmt.Sprintf("a trace of %q", names), bound, func() bool {
			byID := map[string]span{}
			for _, s := range r.spans() {
				byID[s.trace+s.id] = s
			}
			for _, attempt := range byID {
				probe := byID[attempt.trace+attempt.parent]
				poll := byID[probe.trace+probe.parent]
				if [3]string{attempt.name, probe.name, poll.name} == names && poll.parent == "" && poll.trace == attempt.trace {
					return probe.attributes["signal.outcome"] == "ok" && attempt.attributes["http.response.status_code"] == int64(200)
				}
			}
			return false
		})
	}
}

func checkResource(t *testing.T, s *shard, resource map[string]any) {
	t.Helper()
	for key, want := range map[string]string{
		"service.name": "signal-sidecar", "jitsi.shard": "shard-7", "process.pid": fmt.Sprint(s.Cmd.Process.Pid),
		"process.runtime.name": "go", "process.executable.name": "signal-sidecar", "telemetry.sdk.language": "go",
	} {
		if got := fmt.Sprint(resource[key]); got != want {
			t.Errorf("resource attribute %s is %s, want %s", key, got, want)
		}
	}
	host, err := os.Hostname()
	testbed.Must(t, err)
	if resource["host.name"] != host {
		t.Errorf("resource attribute host.name is %v, want %s", resource["host.name"], host)
	}
	for _, key := range []string{"service.version", "service.instance.id"} {
		if text, _ := resource[key].(string); text == "" {
			t.Errorf("resource attribute %s is %v", key, resource[key])
		}
	}
}

// checkTraceOf checks that a log record belongs to a received span.
func checkTraceOf(t *testing.T, r *receiver, l record) {
	t.Helper()
	testbed.Eventually(t, fmt.Sprintf("the trace %s of log record %q", l.trace, l.message), bound, func() bool {
		for _, s := range r.spans() {
			if s.trace == l.trace {
				return true
			}
		}
		return false
	})
}

// checkFlush checks that everything is exported before the sidecar ends.
func checkFlush(t *testing.T, s *shard, r *receiver) {
	t.Helper()
	before := s.probes("jicofo_health", "ok")
	if code, _ := s.Stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	spans := 0
	for _, s := range r.spans() {
		if s.name == "probe jicofo_health" {
			spans++
		}
	}
	if spans < before {
		t.Errorf("%d probes were counted, and %d of their spans came", before, spans)
	}
	for _, l := range r.records() {
		if l.message == "signal-sidecar is stopping" {
			return
		}
	}
	t.Error("the log does not tell of the end")
}
