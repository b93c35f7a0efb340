package testbed

import (
	"testing"
	"time"
)

// pause is the shortest time between two looks at a condition.
const pause = 2 * time.Millisecond

// Eventually waits until the condition holds, and fails the test when it does not within the bound. A condition that is
// costly, such as one that starts a process, gets at most half of the time.
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
