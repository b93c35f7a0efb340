package main_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestWithoutProc runs a sidecar where there is no /proc, as in a bare chroot: all it lacks is the metrics of its process.
func TestWithoutProc(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		testbed.Missing(t, "root, to mount something over /proc")
	}
	s := newShard(t, nil)
	cmd := exec.Command(testbed.Component(t, "unshare"), "--mount", "sh", "-c", "mount -t tmpfs tmpfs /proc && exec "+testbed.Binary(t))
	cmd.Dir = t.TempDir()
	cmd.Env = s.settings.With(vars{"HTTP_ADDR": "127.0.0.1", "TCP_ADDR": "127.0.0.1", "HTTP_PORT": "0", "TCP_PORT": "0"}).Environ()
	s.sidecar = &sidecar{Process: testbed.Start(t, cmd)}
	s.started(t)
	s.becomes(t, "up ready 100%")
	if health, cpu := s.metric("signal_health"), s.metric("process_cpu_seconds_total"); health != "1" || cpu != "" {
		t.Errorf("signal_health is %q, process_cpu_seconds_total is %q", health, cpu)
	}
}
