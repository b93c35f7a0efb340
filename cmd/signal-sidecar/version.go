package main

import (
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/otel"
)

// versionCommand prints the build information that the linker recorded.
type versionCommand struct{}

func (versionCommand) Run(std streams) error {
	b := otel.ReadBuild()
	revision := b.Revision
	if revision == "" {
		revision = "not recorded"
	}
	if b.Modified {
		revision += ", modified"
	}
	_, err := fmt.Fprintf(std.stdout, "signal-sidecar %s (revision %s, %s)\n", b.Version, revision, b.GoVersion)
	return err
}

// versionFlag prints the same as the version command.
type versionFlag bool

// BeforeReset is called by kong when the flag is on the command line.
func (versionFlag) BeforeReset(app *kong.Kong, std streams) error {
	defer app.Exit(exitOK)
	return versionCommand{}.Run(std)
}
