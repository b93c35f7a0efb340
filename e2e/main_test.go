// Package e2e tests the binary of signal-sidecar with what takes its telemetry in the field: the OpenTelemetry
// Collector's receiver, Jaeger and Prometheus. It is a module of its own, so that the Collector's modules stay out of the
// product's. Run it by make test-e2e, which says where Jaeger is.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// binary is the sidecar's.
var binary string

// TestMain builds the sidecar, and fails when a goroutine outlives its test.
func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "signal-sidecar-e2e-")
	if err == nil {
		binary = filepath.Join(folder, "signal-sidecar")
		err = build(binary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(folder)
		os.Exit(code)
	}))
}

func build(path string) error {
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./cmd/signal-sidecar")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}
