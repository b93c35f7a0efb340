package health_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestMachineState checks that a machine restored from JSON gives the same verdicts as the original, with the same
// reasons and times.
func TestMachineState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		twin := health.NewMachine(cfg)
		drawTimeline(t, cfg, func(m *health.Machine, s step, _ time.Duration, v health.Verdict) {
			if same := s.take(twin); !reflect.DeepEqual(v, same) {
				t.Fatalf("%s: the original says %+v, the one from JSON %+v", s, v, same)
			}
			state, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			twin = health.NewMachine(cfg)
			if err := json.Unmarshal(state, twin); err != nil {
				t.Fatal(err)
			}
			if again, _ := json.Marshal(twin); !bytes.Equal(state, again) {
				t.Fatalf("%s turned into %s", state, again)
			}
		})
	})
}
