package main_test

import (
	"fmt"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
)

// badInput is a bad behavior of a service on one path ("" for all paths), and the outcomes of the probes.
type badInput struct {
	path, behavior string
	outcomes       map[string]string // by probe; the other probes stay ok
}

var (
	bothJicofo = func(outcome string) map[string]string {
		return map[string]string{"jicofo_health": outcome, "jicofo_stats": outcome}
	}
	healthOnly  = func(outcome string) map[string]string { return map[string]string{"jicofo_health": outcome} }
	statsOnly   = func(outcome string) map[string]string { return map[string]string{"jicofo_stats": outcome} }
	prosodyOnly = func(outcome string) map[string]string { return map[string]string{"prosody": outcome} }
)

// The tests of collector have every bad input; these are the ones that cost most, or end in another outcome.
var jicofoInputs = []badInput{
	{"", "huge", bothJicofo("body_too_large")},
	{"", "hang", bothJicofo("timeout")},
	{"", "reset", bothJicofo("connection_reset")},
	{"", "garbage", bothJicofo("malformed_response")},
	{"", "redirect loop", bothJicofo("too_many_redirects")},
	{"/about/health", "code 503", healthOnly("http_error")},
	{"/stats", "notjson", statsOnly("invalid_body")},
}

var prosodyInputs = []badInput{
	{"", "huge", prosodyOnly("body_too_large")},
	{"", "drip", prosodyOnly("timeout")},
	{"", "truncate", prosodyOnly("connection_reset")},
	{"", "code 404", prosodyOnly("http_error")},
}

// maxMemory is the limit of the sidecar's memory for all bad inputs.
const maxMemory = 100 << 20 // bytes

func TestBadInputFromJicofo(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"PROBE_TIMEOUT": "1.5", "POLLING_INTERVAL": "0.1"})
	s.apply(t, s.Jicofo, jicofoInputs, "prosody")
}

func TestBadInputFromProsody(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"PROBE_TIMEOUT": "1.5", "POLLING_INTERVAL": "0.1"})
	s.apply(t, s.Prosody, prosodyInputs, "jicofo_health")
}

// apply applies each bad input in turn and checks that the probe of the other service stays ok.
func (s *shard) apply(t *testing.T, service *signalnode.Service, inputs []badInput, other string) {
	t.Helper()
	for i, in := range inputs {
		s.becomes(t, "up ready 100%")
		s.changes(t, 2*i+1)
		before := len(s.Log())
		service.Set(in.path, signalnode.MustParseBehavior(in.behavior))
		s.becomes(t, "down ready 100%")
		s.polls(t, 3, in.outcomes)
		s.polls(t, 2, map[string]string{other: "ok"})
		s.expectReasons(t, in.path+" "+in.behavior, before, in.outcomes)
		service.Set("", signalnode.Behavior{})
	}
	s.becomes(t, "up ready 100%")
	t.Logf("peak memory %d MiB", s.PeakMemory(t)>>20)
	if peak := s.PeakMemory(t); peak > maxMemory {
		t.Errorf("the sidecar took %d MiB", peak>>20)
	}
}

// expectReasons checks the log from index since on: one record with the cause for each failing probe, and one change of
// the verdict with a reason.
func (s *shard) expectReasons(t *testing.T, name string, since int, outcomes map[string]string) {
	t.Helper()
	failures := map[string]int{} // logged, by probe
	changes := 0
	for _, e := range s.Log()[since:] {
		switch e["message"] {
		case "probe began to fail", "probe fails differently":
			probe := fmt.Sprint(e["probe"])
			failures[probe]++
			if e["outcome"] != outcomes[probe] || e["detail"] == "" {
				t.Errorf("%s: %v", name, e)
			}
		case "verdict changed":
			changes++
			if reasons, _ := e["reasons"].([]any); len(reasons) != 1 {
				t.Errorf("%s: %v", name, e)
			}
		case "probe works again": // of the previous input
		case "this process did not run during a probe": // possible on a loaded machine
		default:
			t.Errorf("%s: %v", name, e)
		}
	}
	if changes != 1 {
		t.Errorf("%s: %d changes of the verdict are logged", name, changes)
	}
	for probe := range outcomes {
		if failures[probe] != 1 {
			t.Errorf("%s: the failure of %s is logged %d times", name, probe, failures[probe])
		}
	}
	if len(failures) != len(outcomes) {
		t.Errorf("%s: failures are logged of %v", name, failures)
	}
}
