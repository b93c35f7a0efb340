package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// settling is how long after the first verdict code still runs that only a start runs.
const settling = time.Second

// dropStartCode unmaps the program's code, once there is a verdict and what follows it is done: of what the start has
// touched, most is never run again, and is a quarter of the resident memory. The kernel maps anew what is run again, from
// its cache of the file. It returns nil when ctx ends before.
func dropStartCode(ctx context.Context, current func() *health.Snapshot) error {
	for s := current(); !s.Verdict.Known; s = current() {
		select {
		case <-ctx.Done():
			return nil
		case <-s.Superseded():
		}
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(settling):
		return unmapCode()
	}
}

// unmapCode unmaps the pages of the executable that hold code, and are therefore as in the file: data may not be.
func unmapCode() error {
	self, err := procfs.Self()
	if err != nil {
		return err
	}
	path, err := self.Executable()
	if err != nil {
		return err
	}
	mappings, err := self.ProcMaps()
	if err != nil {
		return err
	}
	for _, m := range mappings {
		if m.Pathname != path || !m.Perms.Execute || m.Perms.Write {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.StartAddr, m.EndAddr-m.StartAddr, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("madvise: %w", errno)
		}
	}
	return nil
}
