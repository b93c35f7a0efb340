package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signal-sidecar/signal-sidecar/fleet"
)

var errTimeout = errors.New("--timeout")

// wait waits until the change has the effect that --wait names. On a terminal it prints the progress.
func (c changeFlags) wait(
	ctx context.Context, std streams, plan *fleet.Plan, o fleet.Options, timeout time.Duration,
) error {
	limited := ctx
	if c.Timeout != "" {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeoutCause(ctx, timeout, errTimeout)
		defer cancel()
	}
	progress := func([]string) {}
	if terminalOf(std.stderr) != nil {
		progress = func(lines []string) {
			for _, l := range lines {
				fmt.Fprintln(std.stderr, time.Now().UTC().Format("15:04:05Z"), l)
			}
		}
	}
	began := time.Now()
	err := plan.Wait(limited, c.Wait, o, progress)
	switch {
	case err == nil:
		fmt.Fprintf(std.stdout, "%s after %s\n", c.Wait, time.Since(began).Round(100*time.Millisecond))
		return nil
	case errors.Is(context.Cause(limited), errTimeout):
		fail(std, exitTimeout, err)
		return exitError(exitTimeout)
	default: // interrupted
		return err
	}
}
