package collector

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestClassifyLookup checks that a lookup for which this process lacked a resource is not a failure of the node. Such
// an error has only the text of the system call's error.
func TestClassifyLookup(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want health.Failure
	}{
		{"dial udp 10.0.0.2:53: socket: " + syscall.EMFILE.Error(), health.FailureLocal},
		{"dial udp 10.0.0.2:53: socket: " + syscall.ENOBUFS.Error(), health.FailureLocal},
		{"no such host", health.FailureResolve},
		{"server misbehaving", health.FailureResolve},
	} {
		err := fmt.Errorf("request: %w", &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: tt.text, Name: "jicofo"}})
		if got := classify(err); got != tt.want {
			t.Errorf("%s: classified as %s, want %s", tt.text, got, tt.want)
		}
	}
	if got := classify(context.DeadlineExceeded); got != health.FailureTimeout {
		t.Errorf("a timeout is classified as %s", got)
	}
}
