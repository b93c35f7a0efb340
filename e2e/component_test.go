package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// missing skips the test, aloud, for want of a component; in CI, where all must be there, it fails.
func missing(t *testing.T, what string) {
	t.Helper()
	message := "MISSING COMPONENT: " + what
	if os.Getenv("CI") != "" {
		t.Fatal(message)
	}
	fmt.Fprintln(os.Stderr, message) // also without -v
	t.Skip(message)
}

// jaegerPath is where Jaeger's all-in-one is, as E2E_JAEGER says.
func jaegerPath(t *testing.T) string {
	t.Helper()
	path := os.Getenv("E2E_JAEGER")
	if _, err := os.Stat(path); err != nil {
		missing(t, "Jaeger's all-in-one at E2E_JAEGER="+path+" (make test-e2e builds it)")
	}
	return path
}

// prometheusPath is where Prometheus is.
func prometheusPath(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		missing(t, "prometheus (apt-get install prometheus)")
	}
	return path
}
