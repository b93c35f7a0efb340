package recording_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestMain fails the package if a goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// epoch is time 0 of the tests.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var (
	ok, unwell, refused   = testbed.OK, testbed.Unwell, testbed.Refused
	jicofo, prosody, word = testbed.Jicofo, testbed.Prosody, testbed.StatusFile
	settings              = testbed.DefaultRules
)

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
