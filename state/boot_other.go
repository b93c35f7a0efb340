//go:build !linux

package state

import (
	"errors"
	"time"
)

// bootClock is not available: the state is neither written nor believed.
func bootClock() (id string, sinceBoot time.Duration, err error) {
	return "", 0, errors.New("the state is kept on Linux only")
}
