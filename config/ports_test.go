package config

import (
	"strings"
	"testing"
)

// TestPagePortBlocked checks the notice about ports on which browsers open no page.
func TestPagePortBlocked(t *testing.T) {
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

// TestPortsAreDistinct checks that two settings with the same port are an error.
func TestPortsAreDistinct(t *testing.T) {
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
		if c.problem != "" {
			expectProblems(t, t.TempDir(), c.v, nil, c.problem)
		} else if _, _, err := load(t, t.TempDir(), c.v); err != nil {
			t.Errorf("%v: %v", c.v, err)
		}
	}
}
