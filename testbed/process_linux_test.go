//go:build !portable

package testbed_test

import (
	"os/exec"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func TestPeakMemory(t *testing.T) {
	cmd := exec.Command("cat")
	_, err := cmd.StdinPipe()
	testbed.Must(t, err)
	if peak := testbed.Start(t, cmd).PeakMemory(t); peak < 64<<10 {
		t.Errorf("the peak memory of cat is %d bytes", peak)
	}
}
