package main

import (
	"log/slog"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// memoryShare is the share of the control group's memory limit at which the garbage collector begins to work harder.
	// The rest is for what Go does not count, such as buffers of sockets.
	memoryShare = 0.9
	// plainMemory and censusMemory are the limits without and with CENSUS_POLL, whatever the control group allows. They
	// are above what is in use with the most HTTP connections and with the largest census; the rest would be garbage.
	plainMemory  = 40 << 20
	censusMemory = 180 << 20
)

// limitMemory sets Go's soft memory limit, unless GOMEMLIMIT sets one. Above it the garbage collector runs more often.
// Without it the heap would grow to twice what is in use, or in a container beyond the group's limit.
func limitMemory(census bool, log *slog.Logger) {
	own := uint64(plainMemory)
	if census {
		own = censusMemory
	}
	limit, err := memlimit.Set(memlimit.WithRatio(1), memlimit.WithProvider(func() (uint64, error) {
		group, err := memlimit.FromCgroup()
		if err != nil {
			return own, nil //nolint:nilerr // there is no limit, or no control group
		}
		return min(own, uint64(memoryShare*float64(group))), nil
	}))
	if err != nil {
		log.Warn("soft memory limit not set", "error", err)
		return
	}
	log.Debug("soft memory limit", "bytes", limit)
}
