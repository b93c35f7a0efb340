package e2e

import (
	"encoding/json"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/testbed/node"
)

const (
	stateKey  = "shard-states/prod/"
	reportKey = "signal-report/prod/"
)

// following is the settings of a sidecar that follows its key in Consul and publishes its report.
func following(c *consul, name string) vars {
	return c.environment().With(vars{
		"CONSUL_STATUS": "true", "CONSUL_STATUS_KEY": stateKey + name,
		"CONSUL_REPORTS": "true", "CONSUL_REPORT_KEY": reportKey + name,
	})
}

// startFollower starts a shard that uses Consul. Its status file contains drain, as that of Jitsi's package does.
func startFollower(t *testing.T, c *consul, name string, settings vars) *shard {
	t.Helper()
	n := node.Start(t)
	n.Say(t, "drain")
	return &shard{n, testbed.StartSidecar(t, quick.With(n.Settings()).With(following(c, name)).With(settings))}
}

// fails waits until the log has the begin of a failure of the watch.
func (s *shard) fails(t *testing.T, kind string) {
	t.Helper()
	testbed.Eventually(t, "the watch to fail: "+kind, bound, func() bool {
		return len(s.Logged("consul began to fail", "operation", "watch", "kind", kind)) > 0
	})
}

// published waits until Consul has a report of the shard with the agent line.
func (s *shard) published(t *testing.T, c *consul, name, line string) (report map[string]any) {
	t.Helper()
	testbed.Eventually(t, "the report of "+name+" with "+line, bound, func() bool {
		report = nil
		return json.Unmarshal([]byte(c.value(t, reportKey+name)), &report) == nil && report["agentmessage"] == line
	})
	return report
}
