package main_test

import (
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestCrashIsSeenAtOnce crashes and restarts each service while the polls are a minute apart. The sidecar sees the
// crash because the kernel closes its connection, and the return by the recovery polls.
func TestCrashIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	s := startShard(t, vars{"POLLING_INTERVAL": "60", "RECOVERY_POLLING_INTERVAL": "0.1"})
	s.becomes(t, "up ready 100%")
	for range 3 {
		testbed.Must(t, s.Jicofo.Crash())
		s.becomes(t, "down ready 100%")
		testbed.Must(t, s.Jicofo.Recover())
		s.becomes(t, "up ready 100%")
		testbed.Must(t, s.Prosody.Crash())
		s.becomes(t, "down ready 100%")
		testbed.Must(t, s.Prosody.Recover())
		s.becomes(t, "up ready 100%")
	}
}
