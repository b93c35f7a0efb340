package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// truth waits until fleet --json shows the shards so: state, wanted state, marks.
func truth(t *testing.T, c *consul, want map[string]string) {
	t.Helper()
	var got map[string]string
	defer func() {
		if t.Failed() {
			t.Logf("fleet shows %v", got)
		}
	}()
	testbed.Eventually(t, fmt.Sprintf("fleet to show %v", want), bound, func() bool {
		rows := fleet(t, c)
		got = map[string]string{}
		for name, row := range rows {
			got[name] = strings.Join(append([]string{row.State, row.Wanted}, row.Marks...), " ")
		}
		return fmt.Sprint(got) == fmt.Sprint(want)
	})
}

// TestConsulJitsiFlow is a release as Jitsi's scripts do it: the wanted state exists before the shard, new shards are
// promoted one after the other, old ones are demoted and retired. fleet shows each step.
func TestConsulJitsiFlow(t *testing.T) {
	t.Parallel()
	c := startConsul(t, consulOptions{})
	old := []string{"old-1", "old-2", "old-3", "old-4", "old-5"}
	shards := map[string]*shard{}
	want := map[string]string{}
	start := func(name, release string) {
		s := startFollower(t, c, name, vars{"CONSUL_REPORTS_INTERVAL": "1"})
		shards[name] = s
		c.register(t, "signal-"+name, "127.0.0.1", 6000, map[string]string{
			"environment": "prod", "shard": name, "release_number": release,
		})
	}
	for _, name := range old {
		c.put(t, stateKey+name, "drain")
		want[name] = "none drain silent"
	}
	truth(t, c, want)
	for _, name := range old {
		start(name, "1")
		want[name] = "drain drain"
	}
	truth(t, c, want)

	for _, name := range old { // promote: curl -X PUT -d ready
		c.put(t, stateKey+name, "ready")
		shards[name].Becomes(t, "up ready 100%")
		want[name] = "ready ready"
		truth(t, c, want)
	}

	c.put(t, stateKey+"new-1", "drain")
	want["new-1"] = "none drain silent"
	truth(t, c, want)
	start("new-1", "2")
	set(t, c, "ready", "new-1")
	want["new-1"] = "ready ready"
	truth(t, c, want)
	for _, name := range old { // demote
		c.put(t, stateKey+name, "drain")
		want[name] = "drain drain"
		truth(t, c, want)
	}
	if rows := fleet(t, c); rows["new-1"].Release != "2" || rows["old-1"].Release != "1" {
		t.Errorf("releases: %+v", rows)
	}

	// Virtual machines: the report first, the service minutes later. Nomad: the service first.
	for i, name := range old {
		keys := []string{reportKey, stateKey}
		if i%2 > 0 {
			slices.Reverse(keys)
		}
		for _, key := range keys {
			c.delete(t, key+name)
		}
		want[name] = "none  silent" // only its service is left
		truth(t, c, want)
		_, _ = shards[name].Stop(t, syscall.SIGTERM)
		c.deregister(t, "signal-"+name)
		delete(want, name)
		truth(t, c, want)
	}
}
