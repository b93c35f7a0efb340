package testbed

import (
	"testing"
	"time"
)

// pause is the shortest time between two checks of a condition.
const pause = 2 * time.Millisecond

// Eventually waits until the condition holds. It fails the test if that takes longer than the bound. A costly
// condition, such as one that starts a process, takes at most half of the time: the pause after it is as long as the
// check was.
func Eventually(t testing.TB, what string, bound time.Duration, condition func() bool) {
	t.Helper()
	limit := time.NewTimer(bound)
	defer limit.Stop()
	for {
		began := time.Now()
		if condition() {
			return
		}
		select {
		case <-time.After(max(pause, time.Since(began))):
		case <-limit.C:
			t.Fatalf("waited %s in vain for %s", bound, what)
		}
	}
}
