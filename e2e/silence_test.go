package e2e

import (
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// countConnections counts the connections to an address.
func countConnections(t *testing.T, address string) *atomic.Int64 {
	t.Helper()
	l := listen(t, address)
	n := new(atomic.Int64)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return n
}

func checkSilence(t *testing.T, settings vars, addresses ...string) {
	t.Helper()
	counts := make([]*atomic.Int64, len(addresses))
	for i, address := range addresses {
		counts[i] = countConnections(t, address)
	}
	s := startShard(t, settings)
	s.awaitProbes(t, 20, "ok")
	if code, _ := s.Stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for i, n := range counts {
		if n.Load() != 0 {
			t.Errorf("%d connections to %s", n.Load(), addresses[i])
		}
	}
}

func TestDisabledSDKPushesNothing(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		address := testbed.LastingAddress(t)
		checkSilence(t, pushingTo(address, protocol).With(vars{"OTEL_SDK_DISABLED": "true"}), address)
	}
}

// TestNothingIsPushedByDefault checks that without a setting of OpenTelemetry nothing is pushed to the default
// addresses of its specification.
func TestNothingIsPushedByDefault(t *testing.T) {
	t.Parallel()
	addresses := []string{"127.0.0.1:4317", "127.0.0.1:4318"}
	for _, address := range addresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			testbed.Missing(t, "the port of "+address+", which something else has")
		}
		_ = l.Close()
	}
	settings := vars{}
	for name := range quick {
		if strings.HasPrefix(name, "OTEL_") {
			settings[name] = ""
		}
	}
	checkSilence(t, settings, addresses...)
}
