package health_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the package if a goroutine outlives its test.
func TestMain(m *testing.M) {
	// The properties are cheap to check: ten times rapid's default. The command line can override this.
	_ = flag.Set("rapid.checks", "1000")
	goleak.VerifyTestMain(m)
}
