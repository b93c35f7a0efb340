package e2e

import (
	"fmt"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestLogOfIncident checks that lines of the log lead to the traces of the incident.
func TestLogOfIncident(t *testing.T) {
	r := startReceiver(t, "grpc", testbed.LastingAddress(t))
	s := startShard(t, pushingTo(r.address, "grpc").With(vars{"DRAIN_GRACE_INTERVAL": "60"}))
	s.jicofo("code 503")
	s.Becomes(t, "up drain 0%")
	id := s.incident(t)
	if id == "" {
		t.Fatal("/signal/explain names no incident")
	}
	s.jicofo("code 500")
	testbed.Eventually(t, "a probe to fail differently", bound, func() bool {
		return len(s.Logged("probe fails differently", "probe", "jicofo_health")) > 0
	})
	s.jicofo("healthy")
	s.Becomes(t, "up ready 100%")
	if got := s.incident(t); got != "" {
		t.Errorf("/signal/explain names incident %s after its end", got)
	}
	testbed.Eventually(t, "the probe to work again", bound, func() bool {
		return len(s.Logged("probe works again", "probe", "jicofo_health")) > 0
	})

	for _, line := range [][]string{
		{"probe began to fail", "probe", "jicofo_health"},
		{"verdict changed", "to", "up drain 0%"},
		{"probe fails differently", "probe", "jicofo_health"},
		{"probe works again", "probe", "jicofo_health"},
		{"verdict changed", "from", "up drain 0%"},
	} {
		t.Run(fmt.Sprint(line), func(t *testing.T) {
			found := s.Logged(line[0], line[1:]...)
			if len(found) != 1 {
				t.Fatalf("%d such lines", len(found))
			}
			if got := fmt.Sprint(found[0]["incident.id"]); got != id {
				t.Errorf("incident.id is %s, want %s", got, id)
			}
			trace := fmt.Sprint(found[0]["trace_id"])
			testbed.Eventually(t, "trace "+trace, bound, func() bool {
				for _, s := range r.spans() {
					if s.trace == trace && s.id == fmt.Sprint(found[0]["span_id"]) {
						return true
					}
				}
				return false
			})
		})
	}
}
