package faults_test

import (
	"encoding/json"
	"net"
	"sync/atomic"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/testbed/node"
)

// shard is a simulated signal node, its status file, and its sidecar.
type shard struct {
	*node.Node
	*testbed.Sidecar
	settings vars
	program  []string // what starts the sidecar and becomes it; empty for the binary
	waiting  net.Conn // a check that waits for a descriptor
	server   *server  // a backend that a row has started
	relay    *relay
	endFault func()      // of a row
	stopping atomic.Bool // the sidecar may refuse
	peer     *peer       // the service that a row has put in prosody's place
}

// newShard returns a healthy node whose status file contains ready. The sidecar is not started.
func newShard(t *testing.T) *shard {
	t.Helper()
	n := node.Start(t)
	return &shard{Node: n, settings: testbed.Quick.With(n.Settings()).With(vars{"PROBE_TIMEOUT": "1"})}
}

func (s *shard) start(t *testing.T) {
	t.Helper()
	if len(s.program) == 0 {
		s.Sidecar = testbed.StartSidecar(t, s.settings)
	} else {
		s.Sidecar = testbed.StartSidecarBy(t, s.settings, s.program[0], s.program[1:]...)
	}
}

// set changes settings. It has an effect before start only.
func (s *shard) set(v vars) { s.settings = s.settings.With(v) }

func (s *shard) eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	testbed.Eventually(t, what, testbed.Bound, condition)
}

// line returns the agent's reply with its line end, or "" without a reply.
func (s *shard) line() string {
	line, err := testbed.Ask(s.Agent)
	if err != nil {
		return ""
	}
	return line
}

// reason is a reason in /signal/explain.
type reason struct{ Code, Text string }

// explanation is the part of /signal/explain that the rows check.
type explanation struct {
	AgentMessage string   `json:"agentmessage"`
	Reasons      []reason `json:"reasons"`
	Consul       struct {
		Value string `json:"value"`
		Error string `json:"error"`
	} `json:"consul"`
}

// root returns the root reason, empty for none.
func (e explanation) root() reason {
	if len(e.Reasons) == 0 {
		return reason{}
	}
	return e.Reasons[0]
}

func (s *shard) explain(t *testing.T) (e explanation) {
	t.Helper()
	_, body := testbed.Get("http://" + s.HTTP + "/signal/explain")
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Logf("/signal/explain: %.300s: %v", body, err)
	}
	return e
}

// jicofo returns an action that sets jicofo's behavior on all paths.
func jicofo(behavior string) func(*testing.T, *shard) {
	return func(_ *testing.T, s *shard) { s.Jicofo.Set("", signalnode.MustParseBehavior(behavior)) }
}

// prosody returns an action that sets prosody's behavior on all paths.
func prosody(behavior string) func(*testing.T, *shard) {
	return func(_ *testing.T, s *shard) { s.Prosody.Set("", signalnode.MustParseBehavior(behavior)) }
}
