package main_test

import (
	"testing"
	"time"
)

// bound is how long a test waits for what must happen; none takes as long unless it fails.
const bound = 20 * time.Second

// eventually waits until the condition holds, and fails the test when it does not within the bound.
func eventually(t *testing.T, what string, bound time.Duration, condition func() bool) {
	t.Helper()
	limit := time.NewTimer(bound)
	defer limit.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("waited %s in vain for %s", bound, what)
		}
	}
}
