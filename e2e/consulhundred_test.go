package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/testbed/node"
)

// window is how long TestConsulHundredShards counts what an undisturbed fleet sends to Consul.
const window = 10 * time.Second

// TestConsulHundredShards runs 100 sidecars, one Consul and one HAProxy. One shard breaks, and another is drained by
// hand in HAProxy: fleet shows these two, and only these. The counts of docs/scale.md are from this test.
func TestConsulHundredShards(t *testing.T) {
	c := startConsul(t, consulOptions{})
	n := countTraffic(t, c, nil)
	healthy, broken := node.Start(t), node.Start(t)
	agents := map[string]string{}
	var one *testbed.Sidecar
	for i := range 100 {
		name, of := fmt.Sprintf("prod-%d", i), healthy
		if i == 42 {
			of = broken
		}
		c.put(t, stateKey+name, "ready")
		settings := following(c, name).With(of.Settings()).With(vars{
			"CONSUL_HTTP_ADDR": n.origin, "STATUS_PATH": t.TempDir() + "/shard-status", "GOMAXPROCS": "1",
			"HEALTH_DAMPENING_INTERVAL": "0", "DRAIN_GRACE_INTERVAL": "0",
		})
		one = testbed.StartSidecar(t, settings)
		agents[name] = one.Agent
		c.register(t, "signal-"+name, "127.0.0.1", 6000, map[string]string{"environment": "prod", "shard": name})
	}
	h := startHAProxy(t, agents)
	haproxys := []string{"--haproxy", h.page, "--haproxy", "unix:" + h.socket}
	testbed.Eventually(t, "100 shards that are ready", 2*bound, func() bool {
		rows, code := fleetList(t, c, haproxys...)
		ready := func(r fleetRow) bool { return r.State == "ready" && len(r.Marks) == 0 }
		return code == 0 && len(rows) == 100 && !slices.ContainsFunc(rows, func(r fleetRow) bool { return !ready(r) })
	})
	n.report(t, c, one)

	began := time.Now()
	h.command(t, "disable agent signal/prod-7")
	h.command(t, "set server signal/prod-7 state drain")
	testbed.Must(t, broken.Jicofo.Crash())
	const checkTime = 2 * time.Second
	args := append([]string{"--unhealthy", "--check-time", checkTime.String()}, haproxys...)
	var shown string
	testbed.Eventually(t, "fleet to show both, and only these", bound, func() bool {
		rows, code := fleetList(t, c, args...)
		shown = ""
		for _, r := range rows {
			shown += fmt.Sprintf("%s %s %s; ", r.Shard, r.State, r.Marks)
		}
		return code == 1 && len(rows) == 2 && shown == "prod-7 ready [disagree]; prod-42 down []; "
	})
	took := time.Since(began)
	t.Logf("both are shown %s after they happened, with a check time of %s: %s", took, checkTime, shown)
	if took > checkTime+2*time.Second {
		t.Errorf("both are shown %s after they happened; want at most 2s more than the check time", took)
	}
}

// report logs what an undisturbed fleet of 100 costs.
func (n *traffic) report(t *testing.T, c *consul, one *testbed.Sidecar) {
	t.Helper()
	raft := func() (index int) {
		var self struct {
			Stats struct{ Raft map[string]string }
		}
		testbed.Must(t, json.Unmarshal([]byte(c.call(t, "GET", "/v1/agent/self", "")), &self))
		_, _ = fmt.Sscan(self.Stats.Raft["last_log_index"], &index)
		return index
	}
	reads, writes, sent, received, index := n.reads.Load(), n.writes.Load(), n.sent.Load(), n.received.Load(), raft()
	time.Sleep(window) // what is measured is the time
	t.Logf("100 sidecars in %s: %d GET, %d PUT, %d bytes to Consul, %d bytes from it, %d Raft entries; "+
		"%d blocking queries and %d connections at the end",
		window, n.reads.Load()-reads, n.writes.Load()-writes, n.sent.Load()-sent, n.received.Load()-received,
		raft()-index, n.blocked.Load(), n.connections.Load())
	_, text := testbed.Get("http://" + one.HTTP + "/metrics")
	series := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			series++
		}
	}
	t.Logf("one scrape: %d series, %d bytes; one report: %d bytes", series, len(text), len(bytes.TrimSpace(
		[]byte(c.value(t, reportKey+"prod-1")))))
}
