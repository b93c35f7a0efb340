package state

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// bootClock returns the id of this boot and the time since it, which includes suspends.
func bootClock() (id string, sinceBoot time.Duration, err error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", 0, err
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return "", 0, fmt.Errorf("read CLOCK_BOOTTIME: %w", err)
	}
	return strings.TrimSpace(string(text)), time.Duration(now.Nano()), nil
}
