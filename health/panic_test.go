package health

import (
	"context"
	"reflect"
	"testing"
	"time"
)

// TestPanicInMachine checks that a panic of the machine changes nothing, and that the Monitor continues.
func TestPanicInMachine(t *testing.T) {
	t.Parallel()
	m := NewMonitor(Config{ParticipantMax: 5000, HealthDampening: time.Minute, DrainGraceScope: ScopeJicofo})
	observation := Observation{At: time.Now(), StatusFile: &StatusFile{Found: true, Contents: "ready"}}
	m.Observe(t.Context(), observation)
	before, snapshot := *m.machine, m.Current()
	func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		defer func() { _ = recover() }()
		m.step(context.Background(), func() (Step, bool) {
			observation.At = observation.At.Add(time.Second)
			m.machine.Observe(observation)
			panic("broken rule")
		})
	}()
	if !reflect.DeepEqual(*m.machine, before) || m.Current() != snapshot {
		t.Error("the machine or the snapshot has changed")
	}
	m.Observe(t.Context(), observation)
	if m.Current() == snapshot {
		t.Error("the Monitor does not continue")
	}
}
