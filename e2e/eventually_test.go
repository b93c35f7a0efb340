package e2e

import (
	"testing"
	"time"
)

// bound is how long a test waits for what must happen; none takes as long unless it fails.
const bound = 30 * time.Second

// eventually waits until the condition holds, and fails the test when it does not within the bound.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	limit := time.NewTimer(bound)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("waited %s in vain for %s", bound, what)
		}
	}
}

// must fails the test with the error, if there is one.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
