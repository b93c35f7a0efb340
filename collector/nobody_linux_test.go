//go:build !portable

package collector

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"testing"
)

// asNobody returns a collector that runs without root's file permissions. Other users do not have them anyway.
func asNobody(t *testing.T, c Collector) Collector {
	if os.Geteuid() != 0 {
		return c
	}
	return nobody{t, c}
}

type nobody struct {
	t *testing.T
	Collector
}

func (n nobody) Run(ctx context.Context) error {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	const uid = 65534
	if err := syscall.Setfsuid(uid); err != nil {
		n.t.Errorf("become nobody: %v", err)
	}
	return n.Collector.Run(ctx)
}
