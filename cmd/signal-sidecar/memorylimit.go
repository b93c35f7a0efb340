package main

import (
	"log/slog"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare is the share of the control group's memory limit at which the garbage collector begins to work harder.
// The rest is for what Go does not count, such as buffers of sockets.
const memoryShare = 0.9

// limitMemory sets Go's soft memory limit from that of the control group, such as a container, unless GOMEMLIMIT sets
// one. Without it a large census could exceed the group's limit although most of the heap is garbage.
func limitMemory(log *slog.Logger) {
	limit, err := memlimit.Set(memlimit.WithProvider(memlimit.FromCgroup), memlimit.WithRatio(memoryShare))
	switch {
	case err != nil: // for example outside of any control group
		log.Debug("no memory limit from the control group", "error", err)
	default:
		log.Debug("soft memory limit", "bytes", limit)
	}
}
