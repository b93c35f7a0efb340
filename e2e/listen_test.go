package e2e

import (
	"net"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// listen opens a port, until the end of the test at the latest.
func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	testbed.Must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}
