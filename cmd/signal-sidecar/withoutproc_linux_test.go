package main_test

import (
	"os"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestWithoutProc runs a sidecar without /proc, as in a bare chroot. It then lacks only the metrics of its process.
func TestWithoutProc(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		testbed.Missing(t, "root, to mount something over /proc")
	}
	s := newShard(t, nil)
	s.startBy(t, testbed.Component(t, "unshare"),
		"--mount", "sh", "-c", "mount -t tmpfs tmpfs /proc && exec "+testbed.Binary(t))
	s.becomes(t, "up ready 100%")
	if health, cpu := s.Metric("signal_health"), s.Metric("process_cpu_seconds_total"); health != "1" || cpu != "" {
		t.Errorf("signal_health is %q, process_cpu_seconds_total is %q", health, cpu)
	}
}
