package health_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// reopen returns a Machine that continues from a checkpoint of m in JSON, of this age at now.
func reopen(t interface{ Fatal(...any) }, m *health.Machine, taken, now time.Time) *health.Machine {
	text, err := json.Marshal(m.Checkpoint(taken))
	if err != nil {
		t.Fatal(err)
	}
	var c health.Checkpoint
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(10000 * time.Hour); err != nil {
		t.Fatal(err)
	}
	again := health.NewMachine(m.Config())
	again.Restore(c, now.Sub(taken), now)
	return again
}

// TestRestartIsInvisible checks that a restart at any moment of any timeline changes no verdict, reason or time, if the
// new process first observes what the old one observed last.
func TestRestartIsInvisible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		twin := machineAtEpoch(cfg)
		last := map[part]*health.Observation{}
		drawTimeline(t, cfg, func(m *health.Machine, s step, at time.Duration, v health.Verdict) {
			if same := s.take(twin); !reflect.DeepEqual(v, same) {
				t.Fatalf("%s: without a restart %+v, after it %+v", s, v, same)
			}
			if s.o != nil {
				last[partOf(s.o)] = s.o
			}
			if len(last) < 3 || last[partJicofo] == nil || last[partProsody] == nil || last[partStatusFile] == nil ||
				!rapid.Bool().Draw(t, "restart") {
				return
			}
			now := epoch.Add(at)
			twin = reopen(t, m, now, now)
			state, _ := json.Marshal(twin)
			twin = health.NewMachine(cfg)
			if err := json.Unmarshal(state, twin); err != nil { // a recording begins with this state
				t.Fatal(err)
			}
			if before, after := m.Checkpoint(now), twin.Checkpoint(now); !sameButLine(before, after) {
				t.Fatalf("%s: the checkpoint %+v turned into %+v", s, before, after)
			}
			for _, p := range rapid.Permutation(everyPart).Draw(t, "order") {
				if twin.Verdict().Known {
					t.Fatalf("%s: a verdict before %v was observed", s, p)
				}
				again := step{at, last[p]}
				again.take(m)
				again.take(twin)
			}
			if !reflect.DeepEqual(m.Verdict(), twin.Verdict()) {
				t.Fatalf("%s: without a restart %+v, after it %+v", s, m.Verdict(), twin.Verdict())
			}
		})
	})
}

func partOf(o *health.Observation) part {
	switch {
	case o.Jicofo != nil:
		return partJicofo
	case o.Prosody != nil:
		return partProsody
	case o.StatusFile != nil:
		return partStatusFile
	default:
		return partCensus
	}
}

// sameButLine compares two checkpoints. A restored Machine has no agent line before its first verdict.
func sameButLine(a, b health.Checkpoint) bool {
	a.AgentLine, b.AgentLine = "", ""
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

// TestBadCheckpoints checks that a checkpoint that no Machine makes is refused.
func TestBadCheckpoints(t *testing.T) {
	const longest = time.Hour
	for _, c := range []struct{ text, want string }{
		{`{"unhealthy_age":-1}`, "an age of -1ns"},
		{`{"unhealthy_age":3600000000001}`, "an age of 1h0m0.000000001s"},
		{`{"episode":{"began_age":-1,"incident":"x"}}`, "an age of -1ns"},
		{`{"jicofo":{"refused_age":-5}}`, "an age of -5ns"},
		{`{"prosody":{"refused_age":-5}}`, "an age of -5ns"},
		{`{"reasons":[{"code":"weather","since_age":0}]}`, `"weather" is no reason`},
		{`{"reasons":[{"code":"dampening","since_age":-1}]}`, "an age of -1ns"},
		{`{"reasons":[{"code":"dampening","since_age":1},{"code":"dampening","since_age":2}]}`, "reason dampening occurs twice"},
		{`{"episode":{"began_age":1,"incident":"a\u001b[31m"}}`, "not printable"},
		{`{"agent_line":"` + strings.Repeat("x", 65) + `"}`, "too long"},
		{`{"jicofo":{"good":{"health":{"code":503}}}}`, "a good observation of jicofo that is unhealthy"},
		{`{"prosody":{"good":{"health":{"code":0}}}}`, "a good observation of prosody that is unhealthy"},
	} {
		var got health.Checkpoint
		if err := json.Unmarshal([]byte(c.text), &got); err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
		if err := got.Validate(longest); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
}
