package e2e

import (
	"os"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// jaegerPath returns the path of Jaeger's all-in-one, from E2E_JAEGER.
func jaegerPath(t *testing.T) string {
	t.Helper()
	path := os.Getenv("E2E_JAEGER")
	if _, err := os.Stat(path); err != nil {
		testbed.Missing(t, "Jaeger's all-in-one at E2E_JAEGER="+path+" (make test-e2e builds it)")
	}
	return path
}
