package faults_test

import (
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

const (
	checkEvery = 100 * time.Millisecond
	// checkTime is how late a reply may be: HAProxys in the field ask every 10 s. On a quiet machine a reply takes
	// milliseconds.
	checkTime = 10 * time.Second
)

// checked asks for the agent's reply every 100 ms while the attack runs, and for some time after it. Each reply must
// come in time and be up and ready.
func (s *shard) checked(t *testing.T, attack func()) {
	t.Helper()
	attacked := make(chan struct{})
	ended := make(chan struct{})
	var slowest time.Duration
	checks := 0
	go func() {
		defer close(ended)
		pace := time.NewTicker(checkEvery)
		defer pace.Stop()
		for after := 0; after < 5; checks++ {
			select {
			case <-attacked:
				after++
			default:
			}
			<-pace.C
			began := time.Now()
			line, err := testbed.Ask(s.Agent)
			took := time.Since(began)
			slowest = max(slowest, took)
			if err != nil || line != up+"\n" || took > checkTime {
				t.Errorf("a check got %q, %v, after %s", line, err, took)
				return
			}
		}
	}()
	func() {
		defer close(attacked)
		attack()
	}()
	<-ended
	t.Logf("%d checks, the slowest took %s", checks, slowest)
}

// attacked is a row in which a well-behaved checker is answered all the time.
func attacked(does string, also string, attack func(t *testing.T, s *shard)) fault {
	return fault{
		does: does, within: throughout, want: seen{line: up, also: also},
		inject: func(t *testing.T, s *shard) { s.checked(t, func() { attack(t, s) }) },
	}
}
