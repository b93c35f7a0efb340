// Package e2e tests the binary of signal-sidecar with what takes its telemetry in the field: the OpenTelemetry
// Collector's receiver, Jaeger and Prometheus. It is a module of its own, so that the Collector's modules stay out of the
// product's. Run it by make test-e2e, which says where Jaeger is.
package e2e

import (
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestMain fails the package when a goroutine outlives its test.
func TestMain(m *testing.M) { testbed.Main(m) }
