package main

import (
	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/config"
)

// checkConfigCommand prints the effective settings.
type checkConfigCommand struct{}

func (checkConfigCommand) Run(line *kong.Context, env *config.Environment, std streams) error {
	if err := env.Ignored(); err != nil {
		return err
	}
	c, err := config.Load(line, env)
	if err != nil {
		return err
	}
	return c.Print(std.stdout, env)
}
