package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// explained is the part of /signal/explain that a restart must not change.
type explained struct {
	AgentMessage string `json:"agentmessage"`
	Damped       bool   `json:"damped"`
	Incident     string `json:"incident"`
	Reasons      []struct {
		Code  string    `json:"code"`
		Since time.Time `json:"since"`
	} `json:"reasons"`
	Next struct {
		At           time.Time `json:"at"`
		AgentMessage string    `json:"agentmessage"`
	} `json:"next"`
}

func (s *sidecar) explain(t *testing.T) (e explained) {
	t.Helper()
	_, body := testbed.Get("http://" + s.HTTP + "/signal/explain")
	testbed.Must(t, json.Unmarshal([]byte(body), &e))
	return e
}

// statePath adds a STATE_PATH to the settings and returns it.
func (s *shard) statePath(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.json")
	s.settings = s.settings.With(vars{"STATE_PATH": path})
	return path
}

// saved waits until the state file holds the agent line.
func (s *shard) saved(t *testing.T, line string) {
	t.Helper()
	testbed.Eventually(t, "the state to be written", bound, func() bool {
		return strings.Contains(testbed.Contents(s.settings["STATE_PATH"]), `"agent_line":"`+line+`"`)
	})
}

// TestRestartIsInvisible kills the sidecar in the drain grace and in the dampening. The next process gives the same
// reply, with the same deadline, incident and reasons.
func TestRestartIsInvisible(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, line string
		fail       func(t *testing.T, s *shard)
	}{
		{"grace", "up drain 0%", func(_ *testing.T, s *shard) { s.jicofo("code 503") }},
		{"dampening", "down ready 100%", func(t *testing.T, s *shard) {
			s.prosody("code 500")
			s.becomes(t, "down ready 100%")
			s.prosody("healthy")
			s.polls(t, 1, map[string]string{"prosody": "ok"})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShard(t, vars{"HEALTH_DAMPENING_INTERVAL": "600", "DRAIN_GRACE_INTERVAL": "1200"})
			s.statePath(t)
			s.start(t)
			s.becomes(t, "up ready 100%")
			c.fail(t, s)
			s.becomes(t, c.line)
			before := s.explain(t)
			s.saved(t, c.line)
			s.Stop(t, syscall.SIGKILL)
			s.start(t)
			if line := s.line(); line != c.line {
				t.Errorf("the first reply is %q, want %q", line, c.line)
			}
			after := s.explain(t)
			if off := after.Next.At.Sub(before.Next.At).Abs(); !after.Damped || off > time.Second ||
				after.Next.AgentMessage != before.Next.AgentMessage {
				t.Errorf("before %+v\nafter  %+v", before, after)
			}
			if after.Incident != before.Incident || len(after.Reasons) != 1 || after.Reasons[0].Code != before.Reasons[0].Code ||
				after.Reasons[0].Since.Sub(before.Reasons[0].Since).Abs() > time.Second {
				t.Errorf("before %+v\nafter  %+v", before, after)
			}
			if n := s.Metric("signal_unhealthy_total"); n != "0" {
				t.Errorf("signal_unhealthy_total is %s: the failure is counted twice", n)
			}
			if n := len(s.Logged("state of the previous process is restored", "agent_line", c.line)); n != 1 {
				t.Errorf("logged %d times that the state is restored", n)
			}
		})
	}
}

// TestKilledAtRandomMoments kills sidecars 40 times while their state changes. Their nodes are in the drain grace all
// the time, so any other reply is untrue.
func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			killAtRandomMoments(t, 10)
		})
	}
}

func killAtRandomMoments(t *testing.T, kills int) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := newShard(t, vars{"POLLING_INTERVAL": "0.01", "RECOVERY_POLLING_INTERVAL": "0.01", "DRAIN_GRACE_INTERVAL": "3600"})
	path := s.statePath(t)
	s.start(t)
	s.becomes(t, "up ready 100%")
	s.jicofo("code 503")
	s.saved(t, "up drain 0%")
	replies := 0
	for i := range kills {
		killed := make(chan struct{})
		time.AfterFunc(time.Duration(random.IntN(40))*time.Millisecond, func() {
			_ = s.Cmd.Process.Kill()
			close(killed)
		})
		for n := 0; ; n++ { // each failure of jicofo is a reason of its own
			s.jicofo([]string{"code 503", "code 500", "code 404"}[n%3])
			if line := s.line(); line == "up drain 0%" {
				replies++
			} else if line != "" {
				t.Fatalf("after %d kills the reply is %q", i, line)
			}
			if isDone(killed) {
				break
			}
		}
		s.Exit(t)
		text, err := os.ReadFile(path)
		testbed.Must(t, err)
		var state struct{ Version int }
		if err := json.Unmarshal(text, &state); err != nil || state.Version != 1 {
			t.Fatalf("after %d kills the state is %q: %v", i+1, text, err)
		}
		s.start(t)
		if n := len(s.Logged("state of the previous process is restored")); n != 1 {
			t.Fatalf("after %d kills the state is not restored: %v", i+1, s.Log())
		}
	}
	t.Logf("%d replies", replies)
	if replies == 0 { // a slow machine has few
		t.Error("no reply came between the kills")
	}
}

func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// TestLocalEditOutlivesRestart kills a sidecar that has applied a value from Consul, after an operator has edited the
// status file. The next process leaves the file alone until the key changes.
func TestLocalEditOutlivesRestart(t *testing.T) {
	t.Parallel()
	consul, address := startConsul(t)
	consul.Datacenter("").Put("shard-state", "drain")
	s := newShard(t, address.With(vars{"CONSUL_STATUS": "true"}))
	path := s.statePath(t)
	s.start(t)
	s.becomes(t, "up drain 0%")
	s.Say(t, "maint")
	s.saved(t, "up maint 0%")
	testbed.Eventually(t, "the applied value to be kept", bound, func() bool {
		return strings.Contains(testbed.Contents(path), `"consul_applied":{"key":"shard-state",`)
	})
	s.Stop(t, syscall.SIGKILL)
	s.start(t)
	testbed.Eventually(t, "the key to be read", bound, func() bool {
		return s.Metric("signal_consul_status_differs") == "1"
	})
	if word := testbed.Contents(s.StatusPath); word != "maint\n" {
		t.Errorf("the status file holds %q", word)
	}
	consul.Datacenter("").Put("shard-state", "ready")
	s.becomes(t, "up ready 100%")
}

// TestStateIsNoSharedFile checks that the sidecar refuses to replace its status file by its state.
func TestStateIsNoSharedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shard-status")
	expectProblems(t, run(t, vars{"STATUS_PATH": path, "STATE_PATH": path}),
		`STATE_PATH="`+path+`" (environment): must be a file of its own: STATUS_PATH uses `)
}
