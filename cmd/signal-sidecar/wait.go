package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signal-sidecar/signal-sidecar/fleet"
)

var errTimeout = errors.New("--timeout")

// wait waits until the change has the effect that --wait names. On a terminal it prints the progress, and elsewhere
// each error once.
func (c changeFlags) wait(
	ctx context.Context, std streams, plan *fleet.Plan, o fleet.Options, timeout time.Duration,
) error {
	limited := ctx
	if c.Timeout != "" {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeoutCause(ctx, timeout, errTimeout)
		defer cancel()
	}
	show := func(line string) { fmt.Fprintln(std.stderr, time.Now().UTC().Format("15:04:05Z"), line) }
	onTerminal, printed := terminalOf(std.stderr) != nil, map[string]bool{}
	began := time.Now()
	err := plan.Wait(limited, c.Wait, o, func(p fleet.Progress) {
		for _, e := range p.Errors {
			if onTerminal || !printed[e] {
				show(e)
			}
			printed[e] = true
		}
		for _, l := range p.Lines {
			if onTerminal {
				show(l)
			}
		}
	})
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
