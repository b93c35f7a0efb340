package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// quick makes the sidecar fast, and its verdicts those of the moment.
var quick = vars{
	"POLLING_INTERVAL": "0.1", "PROBE_TIMEOUT": "10", "HEALTH_DAMPENING_INTERVAL": "0", "DRAIN_GRACE_INTERVAL": "0",
}

// shard is a simulated signal node, its status file, and the sidecar beside it.
type shard struct {
	*sidecar
	node       *signalnode.Node
	statusPath string
	settings   vars
}

// newShard returns a healthy node whose status file says ready; the sidecar is yet to be started.
func newShard(t *testing.T, settings vars) *shard {
	t.Helper()
	node, err := signalnode.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	s := &shard{node: node, statusPath: filepath.Join(t.TempDir(), "shard-status")}
	s.settings = quick.With(vars{
		"JICOFO_ORIG": node.Jicofo.Origin(), "PROSODY_ORIG": node.Prosody.Origin(), "STATUS_PATH": s.statusPath,
	}).With(settings)
	s.say(t, "ready")
	return s
}

// startShard returns a shard whose sidecar has been started.
func startShard(t *testing.T, settings vars) *shard {
	t.Helper()
	s := newShard(t, settings)
	s.start(t)
	return s
}

// start starts the sidecar, also once more.
func (s *shard) start(t *testing.T) {
	t.Helper()
	s.sidecar = startSidecar(t, s.settings)
}

// say puts a word into the status file, by rename.
func (s *shard) say(t *testing.T, word string) {
	t.Helper()
	replaceFile(t, s.statusPath, word+"\n")
}

func replaceFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func (s *shard) jicofo(behavior string) {
	s.node.Jicofo.Set("", signalnode.MustParseBehavior(behavior))
}
func (s *shard) prosody(behavior string) {
	s.node.Prosody.Set("", signalnode.MustParseBehavior(behavior))
}

// client uses each connection once, and asks directly whatever the environment says of proxies.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: bound}

// get returns an answer's code and body; 0 and the error's text without one.
func get(url string) (code int, body string) {
	res, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(content)
}

// ask is one agent check: what the agent says until it closes.
func ask(address string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, bound)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(bound))
	said, err := io.ReadAll(conn)
	return string(said), err
}

// line is the agent's reply without its line end, "" without a reply.
func (s *sidecar) line() string {
	said, err := ask(s.agent)
	if err != nil || !strings.HasSuffix(said, "\n") {
		return ""
	}
	return strings.TrimSuffix(said, "\n")
}

// healthCode is the node's health as load balancers ask for it.
func (s *sidecar) healthCode() int {
	code, _ := get("http://" + s.http + "/signal/health")
	return code
}

func (s *sidecar) report(t *testing.T) (r health.Report) {
	t.Helper()
	_, body := get("http://" + s.http + "/signal/report")
	var parsed struct {
		health.Report
		Time *string `json:"time"` // which health.Report writes, and does not read
	}
	if err := json.Unmarshal([]byte(body), &parsed); err != nil {
		t.Fatalf("report %q: %v", body, err)
	}
	return parsed.Report
}

// metric is the value of a series in /metrics, such as signal_probe_success{probe="prosody"}; "" without it.
func (s *sidecar) metric(series string) string {
	_, text := get("http://" + s.http + "/metrics")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// becomes waits until the agent says the line, and checks that the REST code is the one that goes with it.
func (s *sidecar) becomes(t *testing.T, line string) {
	t.Helper()
	last := ""
	defer func() {
		if t.Failed() {
			t.Logf("the agent's last line: %q", last)
		}
	}()
	testbed.Eventually(t, fmt.Sprintf("the agent to say %q", line), bound, func() bool {
		last = s.line()
		return last == line
	})
	want := http.StatusOK
	if strings.HasPrefix(line, "down ") {
		want = http.StatusServiceUnavailable
	}
	if code := s.healthCode(); code != want {
		t.Errorf("/signal/health answers %d while the agent says %q", code, line)
	}
	if code, _ := get("http://" + s.http + "/signal/report"); code != want {
		t.Errorf("/signal/report answers %d while the agent says %q", code, line)
	}
}

// changes waits until so many changes of the verdict are logged, which is done after they are in force, and checks that
// there are no more.
func (s *sidecar) changes(t *testing.T, n int) {
	t.Helper()
	testbed.Eventually(t, fmt.Sprintf("%d changes of the verdict in the log", n), bound, func() bool {
		return len(s.logged("verdict changed")) >= n
	})
	if got := len(s.logged("verdict changed")); got != n {
		t.Errorf("%d changes of the verdict are logged, want %d", got, n)
	}
}

// polls waits until each of the probes has ended so many times more with its outcome.
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

// results counts how often each of the probes has ended with its outcome.
func (s *sidecar) results(outcomes map[string]string) map[string]int {
	_, text := get("http://" + s.http + "/metrics")
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
