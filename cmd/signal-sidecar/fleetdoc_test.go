package main_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestFleetPageCommands runs the commands of docs/fleet.md in order, on a fleet of real sidecars behind a real HAProxy.
func TestFleetPageCommands(t *testing.T) {
	t.Parallel()
	testbed.Component(t, "haproxy")
	testbed.Component(t, "curl")
	consul, v := startConsul(t)
	var agents []agentOf
	for _, name := range []string{"shard1", "shard2", "r41-1", "r41-2", "r42-1", "r42-2"} {
		if !strings.HasPrefix(name, "r42") { // the page begins before these exist
			consul.Datacenter("").Put("shard-states/prod/"+name, "ready")
		}
		s := startShard(t, v.With(vars{
			"CONSUL_STATUS": "true", "CONSUL_STATUS_KEY": "shard-states/prod/" + name,
			"CONSUL_REPORTS": "true", "CONSUL_REPORT_KEY": "signal-report/prod/" + name, "CONSUL_REPORTS_INTERVAL": "0.5",
		}))
		s.SetLoad(0, 0)
		agents = append(agents, agentOf{name, strings.TrimPrefix(s.Prosody.Origin(), "http://"), s.Agent, "", ""})
	}
	statistics := testbed.LastingAddress(t)
	h := startHAProxyWith(t, haproxyOptions{metrics: statistics}, agents...)
	here := strings.NewReplacer(
		"http://stats:password@lb1:8404/;csv", "http://stats:secret@"+statistics+"/stats;csv",
		"http://lb1:8404/;csv", "http://stats:secret@"+statistics+"/stats;csv",
		"/run/haproxy/admin.sock", h.stats,
		"consul kv delete ", "curl -fsS -X DELETE "+v["CONSUL_HTTP_ADDR"]+"/v1/kv/",
	)
	skipped := regexp.MustCompile(`(?m)^(ssh .*|signal-sidecar demo .*)\n`) // no other machine; see TestDemoFleet
	path := vars{"PATH": filepath.Dir(testbed.Binary(t)) + ":/usr/bin:/bin"}
	ran := 0
	for _, block := range fence.FindAllStringSubmatch(testbed.Contents("../../docs/fleet.md"), -1) {
		script := strings.ReplaceAll("\n"+block[2], "\n"+block[1], "\n")
		if _, output, _ := strings.Cut(strings.TrimSpace(script), "\n"); strings.Contains(output, "shard2: drain") ||
			strings.Contains(output, "SHARD ") {
			continue // with its output; other tests compare that
		}
		cmd := exec.Command("sh", "-ec", here.Replace(skipped.ReplaceAllString(script, "")))
		cmd.Dir, cmd.Env = t.TempDir(), v.With(path).Environ()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s\n%s", err, script, out)
		}
		ran++
	}
	if ran < 8 {
		t.Errorf("only %d blocks have run", ran)
	}
	r := run(t, v, "fleet", "--environment", "prod")
	if strings.Count(r.stdout, ": release 42 fails\n") != 2 || strings.Contains(r.stdout, "r41-1") {
		t.Errorf("the fleet at the end:\n%s%s", r.stdout, r.stderr)
	}
}
