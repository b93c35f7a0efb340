package recording_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestMain fails the package if a goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// epoch is time 0 of the tests.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var (
	ok       = health.Answer{Code: 200}
	unwell   = health.Answer{Code: 503}
	refused  = health.Answer{Failure: health.FailureRefused, Detail: "connection refused"}
	settings = health.Config{
		ParticipantMax: 5000, DrainGrace: 120 * time.Second, HealthDampening: 30 * time.Second,
		DrainGraceScope: health.ScopeJicofo,
	}
)

func jicofo(h, stats health.Answer) health.Observation {
	return health.Observation{Trigger: health.TriggerTick, Jicofo: &health.Jicofo{Health: h, Stats: stats}}
}

func prosody(h health.Answer) health.Observation {
	return health.Observation{Trigger: health.TriggerTick, Prosody: &health.Prosody{Health: h}}
}

func word(contents string) health.Observation {
	return health.Observation{StatusFile: &health.StatusFile{Found: true, Contents: contents}}
}

// node is the state of a signal node at a poll.
type node struct {
	jicofo     health.Jicofo
	prosody    health.Prosody
	statusFile health.StatusFile
}

// workingNode returns a node without failures.
func workingNode() node {
	return node{
		health.Jicofo{Health: ok, Stats: ok, Participants: 100, Conferences: 10}, health.Prosody{Health: ok},
		health.StatusFile{Found: true, Contents: "ready"},
	}
}

// observe returns the observations of one poll of every part.
func (n node) observe() []health.Observation {
	return []health.Observation{{StatusFile: &n.statusFile}, {Jicofo: &n.jicofo}, {Prosody: &n.prosody}}
}
