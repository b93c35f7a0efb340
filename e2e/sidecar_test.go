package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// vars are environment variables.
type vars = testbed.Vars

// quick makes the sidecar fast, its verdicts those of the moment, and what it pushes prompt.
var quick = vars{
	"HTTP_ADDR": "127.0.0.1", "TCP_ADDR": "127.0.0.1", "HTTP_PORT": "0", "TCP_PORT": "0",
	"POLLING_INTERVAL": "0.05", "PROBE_TIMEOUT": "10", "HEALTH_DAMPENING_INTERVAL": "0", "DRAIN_GRACE_INTERVAL": "0",
	"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "50", "OTEL_METRIC_EXPORT_INTERVAL": "200",
}

// shard is a simulated signal node, its status file, and the running binary beside it.
type shard struct {
	*testbed.Process
	node        *signalnode.Node
	statusPath  string
	http, agent string // addresses
}

// startShard returns once the sidecar has its first verdict.
func startShard(t *testing.T, settings vars) *shard {
	t.Helper()
	node, err := signalnode.Start()
	testbed.Must(t, err)
	t.Cleanup(func() { _ = node.Close() })
	s := &shard{node: node, statusPath: filepath.Join(t.TempDir(), "shard-status")}
	s.say(t, "ready")
	cmd := exec.Command(testbed.Binary(t))
	cmd.Dir = t.TempDir()
	cmd.Env = quick.With(vars{
		"JICOFO_ORIG": node.Jicofo.Origin(), "PROSODY_ORIG": node.Prosody.Origin(), "STATUS_PATH": s.statusPath,
	}).With(settings).Environ()
	s.Process = testbed.Start(t, cmd)
	testbed.Eventually(t, "the sidecar to open its ports", bound, func() bool {
		if s.Ended() {
			t.Fatal("the sidecar ended instead of running")
		}
		started := s.logged("signal-sidecar started")
		if len(started) == 0 {
			return false
		}
		s.http, s.agent = fmt.Sprint(started[0]["http"]), fmt.Sprint(started[0]["agent"])
		return true
	})
	s.becomes(t, "up ready 100%")
	return s
}

// say puts a word into the status file, by rename.
func (s *shard) say(t *testing.T, word string) {
	t.Helper()
	testbed.Must(t, os.WriteFile(s.statusPath+".new", []byte(word+"\n"), 0o644))
	testbed.Must(t, os.Rename(s.statusPath+".new", s.statusPath))
}

// jicofo makes jicofo behave.
func (s *shard) jicofo(behavior string) {
	s.node.Jicofo.Set("", signalnode.MustParseBehavior(behavior))
}

// ask is one agent check: the reply without its line end, and how long it took.
func (s *shard) ask(t *testing.T) (line string, took time.Duration) {
	t.Helper()
	began := time.Now()
	conn, err := net.DialTimeout("tcp", s.agent, bound)
	testbed.Must(t, err)
	defer conn.Close()
	testbed.Must(t, conn.SetDeadline(began.Add(bound)))
	said, err := io.ReadAll(conn)
	testbed.Must(t, err)
	return strings.TrimSuffix(string(said), "\n"), time.Since(began)
}

// becomes waits until the agent says the line.
func (s *shard) becomes(t *testing.T, line string) {
	t.Helper()
	testbed.Eventually(t, fmt.Sprintf("the agent to say %q", line), bound, func() bool {
		said, _ := s.ask(t)
		return said == line
	})
}

// metric is the value of a series in /metrics, such as signal_probe_success{probe="prosody"}; 0 without it.
func (s *shard) metric(series string) (value float64) {
	_, text := get("http://" + s.http + "/metrics")
	for line := range strings.Lines(text) {
		if number, ok := strings.CutPrefix(line, series+" "); ok {
			_, _ = fmt.Sscan(number, &value)
		}
	}
	return value
}

// probes is how often a probe has run with an outcome.
func (s *shard) probes(probe, outcome string) int {
	return int(s.metric(fmt.Sprintf("signal_probe_results_total{outcome=%q,probe=%q}", outcome, probe)))
}

// awaitProbes waits until jicofo's health has been probed so many times more, with the outcome.
func (s *shard) awaitProbes(t *testing.T, n int, outcome string) {
	t.Helper()
	from := s.probes("jicofo_health", outcome)
	testbed.Eventually(t, fmt.Sprintf("%d probes with outcome %s", n, outcome), bound, func() bool {
		return s.probes("jicofo_health", outcome) >= from+n
	})
}

// items is what became of so many items of a signal (traces, metrics, logs).
func (s *shard) items(signal, result string) int {
	return int(s.metric(fmt.Sprintf("signal_otlp_items_total{result=%q,signal=%q}", result, signal)))
}

// incident is the identity of the incident under way, "" for none.
func (s *shard) incident(t *testing.T) string {
	t.Helper()
	var explanation struct{ Incident string }
	getJSON(t, "http://"+s.http+"/signal/explain", nil, &explanation)
	return explanation.Incident
}

// entry is a line of the log.
type entry map[string]any

// log is what was logged so far.
func (s *shard) log() (all []entry) {
	for line := range strings.Lines(s.Stdout()) {
		var e entry
		if json.Unmarshal([]byte(line), &e) == nil {
			all = append(all, e)
		}
	}
	return all
}

// logged returns the lines with the message and the attributes, given as names and values.
func (s *shard) logged(message string, attributes ...string) (found []entry) {
	for _, e := range s.log() {
		fits := e["msg"] == message
		for i := 0; fits && i < len(attributes); i += 2 {
			fits = fmt.Sprint(e[attributes[i]]) == attributes[i+1]
		}
		if fits {
			found = append(found, e)
		}
	}
	return found
}
