package main_test

import (
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/testbed/node"
)

// TestConsul follows a key in Consul, which another client sets, and publishes the report.
func TestConsul(t *testing.T) {
	t.Parallel()
	n := node.Start(t)
	kv := signalnode.NewConsul()
	server := httptest.NewServer(kv)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	dc := kv.Datacenter("")
	dc.Put("shard-states/prod/shard-1", "drain")
	s := testbed.StartSidecar(t, testbed.Quick.With(n.Settings()).With(vars{
		"CONSUL_HTTP_ADDR": server.URL, "OTEL_RESOURCE_ATTRIBUTES": "environment=prod,jitsi.shard=shard-1",
		"CONSUL_STATUS": "true", "CONSUL_STATUS_KEY": "shard-states/{environment}/{jitsi.shard}",
		"CONSUL_REPORTS": "true", "CONSUL_REPORT_KEY": "signal-report/{environment}/{jitsi.shard}",
	}))
	s.Becomes(t, "up drain 0%")
	dc.Put("shard-states/prod/shard-1", "ready")
	s.Becomes(t, "up ready 100%")
	if got := testbed.Contents(n.StatusPath); got != "ready\n" {
		t.Errorf("the status file contains %q", got)
	}
	testbed.Eventually(t, "the report", testbed.Bound, func() bool {
		value, _ := dc.Get("signal-report/prod/shard-1")
		var report struct {
			AgentMessage string
			Healthy      bool
			Census       []any
		}
		return json.Unmarshal([]byte(value), &report) == nil && report.Healthy && report.Census != nil &&
			strings.HasPrefix(report.AgentMessage, "up ready")
	})
	if got := dc.Keys(""); len(got) != 2 {
		t.Errorf("the keys are %q", got)
	}

	n.Say(t, "maint") // a local edit
	s.Becomes(t, "up maint 0%")
	r := run(t, nil, "status", "--url", "http://"+s.HTTP)
	if !strings.Contains(r.stdout, "  wanted   ready, by shard-states/prod/shard-1 in Consul since 2") ||
		!strings.Contains(r.stdout, "  (the status file differs)\n") {
		t.Errorf("status:\n%s%s", r.stdout, r.stderr)
	}
	if got := s.Metric("signal_consul_status_differs"); got != "1" {
		t.Errorf("signal_consul_status_differs is %q", got)
	}
	server.CloseClientConnections()
	server.Listener.Close()
	testbed.Eventually(t, "the failure", testbed.Bound, func() bool {
		return strings.Contains(run(t, nil, "status", "--url", "http://"+s.HTTP).stdout,
			"  failing  wanted state from Consul: Consul does not accept connections at ")
	})
	s.Becomes(t, "up maint 0%")
}

// TestConsulAfterRestart checks that a restart does not undo a local edit of the status file (STATE_PATH).
func TestConsulAfterRestart(t *testing.T) {
	t.Parallel()
	n := node.Start(t)
	kv, address := startConsul(t)
	kv.Datacenter("").Put("shard-state", "drain")
	settings := testbed.Quick.With(n.Settings()).With(address).With(vars{
		"CONSUL_STATUS": "true", "STATE_PATH": filepath.Join(t.TempDir(), "state"),
	})
	s := testbed.StartSidecar(t, settings)
	s.Becomes(t, "up drain 0%")
	n.Say(t, "maint")
	s.Becomes(t, "up maint 0%")
	s.Stop(t, syscall.SIGTERM)
	s = testbed.StartSidecar(t, settings)
	testbed.Eventually(t, "the key to be read", testbed.Bound, func() bool {
		return s.Metric("signal_consul_status_timestamp_seconds") != ""
	})
	if got := testbed.Contents(n.StatusPath); got != "maint\n" {
		t.Errorf("the status file contains %q after the restart", got)
	}
	kv.Datacenter("").Put("shard-state", "ready")
	s.Becomes(t, "up ready 100%")
}
