//go:build !portable

package testbed_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func TestPeakMemory(t *testing.T) {
	cmd := exec.Command("cat")
	_, err := cmd.StdinPipe()
	testbed.Must(t, err)
	cat := testbed.Start(t, cmd)
	// A process that has only just begun has next to no memory.
	testbed.Eventually(t, "cat to have memory", 20*time.Second, func() bool { return cat.PeakMemory(t) >= 64<<10 })
}
