package main

import (
	"errors"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/config"
)

// helpCommand prints the same as --help.
type helpCommand struct {
	Subcommand string `arg:"" optional:"" help:"The command whose help is printed."`
}

func (h helpCommand) Run(app *kong.Kong) error {
	args := []string{"--help"}
	if h.Subcommand != "" {
		if !isCommand(app.Model, h.Subcommand) {
			return config.NewError("SUBCOMMAND", h.Subcommand, "argument", errNoCommand)
		}
		args = []string{h.Subcommand, "--help"}
	}
	_, _ = app.Parse(args) // it prints the help, and then misses the arguments of the command
	return nil
}

var errNoCommand = errors.New("a command that --help lists")

func isCommand(app *kong.Application, name string) bool {
	for _, node := range app.Leaves(true) {
		if node.Name == name {
			return true
		}
	}
	return false
}

// printHelp prints the help of a command. A command that reads no settings does not list them.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if command := ctx.Selected(); command != nil && command.Tag.Has(config.NoSettings) {
		for _, f := range ctx.Model.Flags {
			f.Hidden = f.Hidden || f.Group != nil
		}
	}
	return kong.DefaultHelpPrinter(options, ctx)
}
