package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestConsulDatacenters joins two datacenters. Each has a shard of the same name.
func TestConsulDatacenters(t *testing.T) {
	t.Parallel()
	east := startConsul(t, consulOptions{datacenter: "east"})
	west := startConsul(t, consulOptions{datacenter: "west"})
	east.call(t, http.MethodPut, "/v1/agent/join/"+west.wan+"?wan=1", "")
	testbed.Eventually(t, "each datacenter to reach the other", bound, func() bool {
		for _, c := range []*consul{east, west} {
			for _, name := range []string{"east", "west"} {
				code, leader := testbed.Get(c.origin + "/v1/status/leader?dc=" + name)
				if code != http.StatusOK || !strings.Contains(leader, ":") {
					return false
				}
			}
		}
		return true
	})
	for _, c := range []*consul{east, west} {
		c.put(t, stateKey+"prod-1", "ready")
		startFollower(t, c, "prod-1", nil).Becomes(t, "up ready 100%")
	}
	rows := func(args ...string) (got []string) {
		t.Helper()
		all, _ := fleetList(t, east, args...)
		for _, row := range all {
			got = append(got, strings.TrimSpace(row.Datacenter+" "+row.State))
		}
		return got
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "ready"},
		{[]string{"--datacenter", "west"}, "west ready"},
		{[]string{"--datacenter", "all"}, "east ready, west ready"},
	} {
		testbed.Eventually(t, strings.Join(tt.args, " ")+" to show "+tt.want, bound, func() bool {
			return strings.Join(rows(tt.args...), ", ") == tt.want
		})
	}
	west.put(t, stateKey+"prod-1", "drain")
	testbed.Eventually(t, "the drained shard in the other datacenter", bound, func() bool {
		return strings.Join(rows("--datacenter", "all"), ", ") == "west drain, east ready"
	})
}
