// Package state keeps the state of the health machine in a file, so that a restart of the process changes no reply
// (spec section 10).
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// version is the version of the format. A file of another version is not read.
const version = 1

// contents is the file in JSON.
type contents struct {
	Version int    `json:"version"`
	BootID  string `json:"boot_id"`
	// SinceBoot is CLOCK_BOOTTIME at the time of the checkpoint, in nanoseconds.
	SinceBoot  time.Duration     `json:"since_boot"`
	Checkpoint health.Checkpoint `json:"checkpoint"`
	Applied    *Applied          `json:"consul_applied,omitempty"`
}

// Applied is the value of Consul's status key that was applied last.
type Applied struct {
	Key         string `json:"key"`
	ModifyIndex uint64 `json:"modify_index"`
}

// Saved is the state that another process has left behind.
type Saved struct {
	Checkpoint health.Checkpoint
	// Age is the time since Checkpoint was made.
	Age time.Duration
	// Applied is nil if no value from Consul was applied.
	Applied *Applied
}

// outdatedError is the reason why a file is not believed although nothing is wrong with it.
type outdatedError string

func (e outdatedError) Error() string { return string(e) }

// parse returns the saved state if it is of this boot and not older than maxAge.
func parse(text []byte, maxAge time.Duration) (*Saved, error) {
	var c contents
	err := json.Unmarshal(text, &c)
	if unexpected := (*json.UnmarshalTypeError)(nil); err != nil && !errors.As(err, &unexpected) {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if c.Version != version { // first, because types may differ in another version
		return nil, fmt.Errorf("format %d, but only format %d is known", c.Version, version)
	}
	if err != nil {
		return nil, fmt.Errorf("not the format of a state: %w", err)
	}
	id, sinceBoot, err := bootClock()
	age := sinceBoot - c.SinceBoot
	switch {
	case err != nil:
		return nil, err
	case c.BootID != id:
		return nil, outdatedError("it is from before the last boot")
	case c.SinceBoot < 0 || age < 0:
		return nil, errors.New("its time is in the future or before the boot")
	case age > maxAge:
		return nil, outdatedError(fmt.Sprintf("it is %s old, and at most %s are believed", age.Round(time.Second), maxAge))
	}
	if err := c.Checkpoint.Validate(c.SinceBoot); err != nil {
		return nil, fmt.Errorf("impossible state: %w", err)
	}
	return &Saved{c.Checkpoint, age, c.Applied}, nil
}
