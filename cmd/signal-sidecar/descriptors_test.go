package main_test

import (
	"fmt"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestWithoutDescriptors fills a sidecar that may open few files with held connections: the failed accepts are told once,
// and when the connections are gone, all is as before.
func TestWithoutDescriptors(t *testing.T) {
	t.Parallel()
	s := newShard(t, vars{"TCP_HOLD_PORT": "0", "AGENT_HOLD": "1", "POLLING_INTERVAL": "3600"})
	s.startBy(t, "sh", "-c", "ulimit -n 48; exec "+testbed.Binary(t))
	s.becomes(t, "up ready 100%")
	var replies []<-chan string
	testbed.Eventually(t, "accepts to fail", bound, func() bool {
		replies = append(replies, wait(t, s.Held))
		return len(s.Logged("agent connections are not accepted")) > 0
	})
	for _, reply := range replies {
		if said := heard(t, reply); said != "up ready 100%\n" {
			t.Errorf("said %q", said)
		}
	}
	testbed.Eventually(t, "the held port to have no connection left", bound, func() bool { return s.heldConnections() == 0 })
	s.becomes(t, "up ready 100%")
	if said := heard(t, wait(t, s.Held)); said != "up ready 100%\n" {
		t.Errorf("the held port says %q", said)
	}
	failed, again := s.Logged("agent connections are not accepted"), s.Logged("agent connections are accepted again")
	if len(failed) != len(again) {
		t.Errorf("%d rows of failures, %d ends:\n%s", len(failed), len(again), fmt.Sprint(failed, again))
	}
}
