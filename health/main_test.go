package health_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the package when a goroutine outlives its test.
func TestMain(m *testing.M) {
	// The properties are cheap to check: ten times rapid's default. The command line still has the last word.
	_ = flag.Set("rapid.checks", "1000")
	goleak.VerifyTestMain(m)
}
