package main

import (
	"fmt"

	"github.com/signal-sidecar/signal-sidecar/otel"
)

// versionCommand prints what the linker recorded.
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
