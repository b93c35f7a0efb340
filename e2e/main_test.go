// Package e2e tests the binary of signal-sidecar with programs that receive its telemetry in production: the
// OpenTelemetry Collector's receiver, Jaeger and Prometheus. It is a module of its own, so that the Collector's modules
// are not dependencies of the product. Run it with make test-e2e, which sets the path of Jaeger.
package e2e

import (
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestMain fails the package when a goroutine outlives its test.
func TestMain(m *testing.M) { testbed.Main(m) }
