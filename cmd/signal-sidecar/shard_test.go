package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/testbed/node"
)

// sidecar is the running binary.
type sidecar struct{ *testbed.Sidecar }

// startSidecar returns once the sidecar's ports are open.
func startSidecar(t *testing.T, v vars) *sidecar {
	t.Helper()
	return &sidecar{testbed.StartSidecar(t, v)}
}

// shard is a simulated signal node, its status file, and its sidecar.
type shard struct {
	*node.Node
	*sidecar
	settings vars
}

// newShard returns a healthy node whose status file contains ready. The sidecar is not started.
func newShard(t *testing.T, settings vars) *shard {
	t.Helper()
	return shardOf(node.Start(t), settings)
}

func shardOf(n *node.Node, settings vars) *shard {
	return &shard{Node: n, settings: testbed.Quick.With(n.Settings()).With(settings)}
}

// startShard returns a shard whose sidecar has been started.
func startShard(t *testing.T, settings vars) *shard {
	t.Helper()
	s := newShard(t, settings)
	s.start(t)
	return s
}

// start starts the sidecar, for the first time or again.
func (s *shard) start(t *testing.T) {
	t.Helper()
	s.sidecar = startSidecar(t, s.settings)
}

// startBy starts the sidecar by a program that executes it.
func (s *shard) startBy(t *testing.T, program string, args ...string) {
	t.Helper()
	s.sidecar = &sidecar{testbed.StartSidecarBy(t, s.settings, program, args...)}
}

func (s *shard) jicofo(behavior string) {
	s.Jicofo.Set("", signalnode.MustParseBehavior(behavior))
}
func (s *shard) prosody(behavior string) {
	s.Prosody.Set("", signalnode.MustParseBehavior(behavior))
}

// line returns the agent's reply without its line end, or "" without a reply.
func (s *sidecar) line() string {
	said, err := testbed.Ask(s.Agent)
	if err != nil || !strings.HasSuffix(said, "\n") {
		return ""
	}
	return strings.TrimSuffix(said, "\n")
}

// healthCode returns the status code of /signal/health.
func (s *sidecar) healthCode() int {
	code, _ := testbed.Get("http://" + s.HTTP + "/signal/health")
	return code
}

func (s *sidecar) report(t *testing.T) (r health.Report) {
	t.Helper()
	_, body := testbed.Get("http://" + s.HTTP + "/signal/report")
	var parsed struct {
		health.Report
		Time *string `json:"time"` // health.Report can write the time, but not read it
	}
	if err := json.Unmarshal([]byte(body), &parsed); err != nil {
		t.Fatalf("report %q: %v", body, err)
	}
	return parsed.Report
}

// becomes waits until the agent replies with the line, and checks that the status codes of the REST endpoints match it.
func (s *sidecar) becomes(t *testing.T, line string) {
	t.Helper()
	s.Becomes(t, line)
	want := http.StatusOK
	if strings.HasPrefix(line, "down ") {
		want = http.StatusServiceUnavailable
	}
	if code := s.healthCode(); code != want {
		t.Errorf("/signal/health answers %d while the agent says %q", code, line)
	}
	if code, _ := testbed.Get("http://" + s.HTTP + "/signal/report"); code != want {
		t.Errorf("/signal/report answers %d while the agent says %q", code, line)
	}
}

// changes waits until n changes of the verdict are logged, and checks that there are no more. A change is logged after
// it is in force.
func (s *sidecar) changes(t *testing.T, n int) {
	t.Helper()
	testbed.Eventually(t, fmt.Sprintf("%d changes of the verdict in the log", n), bound, func() bool {
		return len(s.Logged("verdict changed")) >= n
	})
	if got := len(s.Logged("verdict changed")); got != n {
		t.Errorf("%d changes of the verdict are logged, want %d", got, n)
	}
}

// polls waits until each of the probes has ended n more times with its outcome.
func (s *sidecar) polls(t *testing.T, n int, outcomes map[string]string) {
	t.Helper()
	from := s.results(outcomes)
	testbed.Eventually(t, fmt.Sprintf("%d more polls with the outcomes %v", n, outcomes), bound, func() bool {
		for probe, count := range s.results(outcomes) {
			if count < from[probe]+n {
				return false
			}
		}
		return true
	})
}

// results returns how often each of the probes has ended with its outcome.
func (s *sidecar) results(outcomes map[string]string) map[string]int {
	_, text := testbed.Get("http://" + s.HTTP + "/metrics")
	counts := map[string]int{}
	for probe, outcome := range outcomes {
		counts[probe] = 0
		_, after, _ := strings.Cut(text, fmt.Sprintf("\nsignal_probe_results_total{outcome=%q,probe=%q} ", outcome, probe))
		var count float64
		if _, err := fmt.Sscan(after, &count); err == nil {
			counts[probe] = int(count)
		}
	}
	return counts
}
