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

// TestPagePortBlocked checks the notice about ports on which browsers open no page.
func TestPagePortBlocked(t *testing.T) {
	t.Parallel()
	for port, blocked := range map[string]bool{
		"6666": true, "5060": true, "10080": true, "6001": false, "0": false, "off": false,
	} {
		_, notices := checkConfig(t, t.TempDir(), vars{"PAGE_PORT": port})
		if got := len(notices) == 1 &&
			strings.Contains(notices[0], "PAGE_PORT="+port+" cannot be opened in a browser"); got != blocked ||
			!blocked && len(notices) > 0 {
			t.Errorf("PAGE_PORT=%s: notices %q", port, notices)
		}
	}
}

// TestPortsAreDistinct checks that two settings with the same port are an error before any port opens.
func TestPortsAreDistinct(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v       vars
		problem string
	}{
		{vars{"PAGE_PORT": "6000"}, `PAGE_PORT="6000" (environment): must be a port of its own: HTTP_PORT is 6000`},
		{vars{"PAGE_PORT": "6060"}, `PAGE_PORT="6060" (environment): must be a port of its own: TCP_PORT is 6060`},
		{vars{"PAGE_PORT": "7", "TCP_HOLD_PORT": "7"},
			`PAGE_PORT="7" (environment): must be a port of its own: TCP_HOLD_PORT is 7`},
		{vars{"HTTP_PORT": "6060"}, `TCP_PORT="6060" (default): must be a port of its own: HTTP_PORT is 6060`},
		{vars{"HTTP_PORT": "6060", "HTTP_ADDR": "0.0.0.0", "TCP_ADDR": "10.0.0.1"},
			`TCP_PORT="6060" (default): must be a port of its own`},
		{vars{"HTTP_PORT": "6060", "HTTP_ADDR": "127.0.0.1", "TCP_ADDR": "10.0.0.1"}, ""},
		{vars{"HTTP_PORT": "0", "TCP_PORT": "0", "TCP_HOLD_PORT": "0", "PAGE_PORT": "0"}, ""},
	} {
		r := run(t, c.v, "check-config")
		if c.problem != "" {
			expectProblems(t, r, c.problem)
		} else if r.code != 0 {
			t.Errorf("%v: exit %d, %s", c.v, r.code, r.stderr)
		}
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
