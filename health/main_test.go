package health_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the package if a goroutine outlives its test.
func TestMain(m *testing.M) {
	// make test-all checks each property more often. The command line overrides this.
	_ = flag.Set("rapid.checks", "200")
	goleak.VerifyTestMain(m)
}
