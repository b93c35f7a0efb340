package main_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestPagePort checks that PAGE_PORT serves the same replies as HTTP_PORT.
func TestPagePort(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"PAGE_PORT": "0"})
	s.becomes(t, "up ready 100%")
	started := s.Logged("signal-sidecar started")
	if len(started) != 1 || started[0]["page"] == nil {
		t.Fatalf("the log does not name the page's port: %v", started)
	}
	before := s.Metric("signal_health_check")
	for _, path := range []string{"/", "/signal/health", "/metrics", "/signal/history"} {
		if code, _ := testbed.Get(fmt.Sprintf("http://%s%s", started[0]["page"], path)); code != http.StatusOK {
			t.Errorf("%s: %d", path, code)
		}
	}
	if after := s.Metric("signal_health_check"); after == before {
		t.Errorf("signal_health_check is still %q: what the page's port is asked for is not counted", after)
	}
}

// TestFreePagePortIsNotBlocked checks that PAGE_PORT=0 uses no port that browsers block, although the kernel may choose
// only among ports of which most are blocked.
func TestFreePagePortIsNotBlocked(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(testbed.Component(t, "unshare"), "--user", "--map-root-user", "--net", "sh", "-c",
		`echo 6665 6670 >/proc/sys/net/ipv4/ip_local_port_range && exec "$0"`, testbed.Binary(t))
	cmd.Dir = t.TempDir()
	cmd.Env = vars{"HTTP_PORT": "7001", "TCP_PORT": "7002", "PAGE_PORT": "0"}.Environ()
	p := testbed.Start(t, cmd)
	testbed.Eventually(t, "the sidecar to start", bound, func() bool {
		return strings.Contains(p.Stdout(), "signal-sidecar started") || p.Ended()
	})
	if !strings.Contains(p.Stdout(), `:6670"`) {
		t.Errorf("the page is not at port 6670:\n%s%s", p.Stdout(), p.Stderr())
	}
}
