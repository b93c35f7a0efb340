package main

import (
	_ "embed"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/otel"
)

// manCommand prints the manual page.
type manCommand struct{}

//go:embed texts/signal-sidecar.8.tmpl
var manualPage string

// manual is the data of the manual page.
type manual struct {
	surface
	Date, Version   string
	AboutSettings   string
	ShutdownTime    float64 // seconds
	ConsulVariables []string
}

func (manCommand) Run(line *kong.Context, std streams) error {
	build, surface := otel.ReadBuild(), newSurface(line.Model)
	// The page prints config.About, which applies to all settings, once above the groups.
	for i, g := range surface.Groups {
		surface.Groups[i].About = strings.TrimSpace(strings.TrimSuffix(g.About, config.About))
	}
	return printTemplate(std, manualPage, manual{
		surface: surface, Date: build.Date, Version: build.Version, AboutSettings: config.About,
		ShutdownTime: shutdownTime.Seconds(), ConsulVariables: config.ConsulVariables,
	})
}

// roff escapes a text for a manual page, also at the beginning of a line.
func roff(text string) string {
	escaped := strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(text)
	if strings.HasPrefix(escaped, ".") || strings.HasPrefix(escaped, "'") {
		return `\&` + escaped
	}
	return escaped
}
