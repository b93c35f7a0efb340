package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/config"
)

// shardsTimeout limits how long a completion waits for Consul.
const shardsTimeout = 2 * time.Second

// plainName matches the names that mean nothing else to a shell. The completions evaluate words.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_./-]*$`)

// shardsCommand prints the names of the shards that Consul knows, for the completions. It prints no error: that would
// disturb the line that is being edited.
type shardsCommand struct{ fleetFlags }

func (s shardsCommand) Run(ctx context.Context, line *kong.Context, env *config.Environment, std streams) error {
	ctx, cancel := context.WithTimeout(ctx, shardsTimeout)
	defer cancel()
	o, err := s.options(line, env)
	if err != nil {
		return exitError(exitFailure)
	}
	names, err := o.Shards(ctx)
	if err != nil {
		return exitError(exitFailure)
	}
	for _, n := range names {
		if plainName.MatchString(n) {
			if _, err := io.WriteString(std.stdout, n+"\n"); err != nil {
				return fmt.Errorf("print the shards: %w", err)
			}
		}
	}
	return nil
}
