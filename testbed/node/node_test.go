package node_test

import (
	"net/http"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/testbed/node"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// TestSidecar runs a sidecar beside a node, and requests its verdict in each way.
func TestSidecar(t *testing.T) {
	n := node.Start(t)
	s := testbed.StartSidecar(t, testbed.Quick.With(n.Settings()))
	s.Becomes(t, "up ready 100%")
	n.Say(t, "drain")
	s.Becomes(t, "up drain 0%")
	if code, body := testbed.Get("http://" + s.HTTP + "/health"); code != http.StatusOK || body != "OK" {
		t.Errorf("it answers %d %s", code, body)
	}
	if drained, unknown := s.Metric("signal_health"), s.Metric("signal_healt"); drained != "1" || unknown != "" {
		t.Errorf("signal_health is %q, what is no metric is %q", drained, unknown)
	}
	testbed.Eventually(t, "the change in the log", testbed.Bound, func() bool {
		return len(s.Logged("verdict changed", "from", "up ready 100%", "to", "up drain 0%")) == 1
	})
	if s.Held != "" || len(s.Logged("verdict changed", "to", "down")) > 0 || len(s.Log()) < 3 {
		t.Errorf("the held port is %q; logged: %v", s.Held, s.Log())
	}
	if code, _ := s.Stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
	if code, said := testbed.Get("http://" + s.HTTP + "/health"); code != 0 || said == "" {
		t.Errorf("stopped, it answers %d %s", code, said)
	}
}
