package testbed_test

import (
	"net"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestLastingPort checks that each port is free, and returned only once.
func TestLastingPort(t *testing.T) {
	given := map[string]bool{}
	for range 50 {
		address := testbed.LastingAddress(t)
		l, err := net.Listen("tcp", address)
		testbed.Must(t, err)
		_ = l.Close()
		if given[address] {
			t.Errorf("%s is given twice", address)
		}
		given[address] = true
	}
}
