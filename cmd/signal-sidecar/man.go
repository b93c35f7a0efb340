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

// manual is what the manual page tells.
type manual struct {
	surface
	Date, Version   string
	AboutSettings   string
	ShutdownTime    float64 // seconds
	ConsulVariables []string
}

func (manCommand) Run(line *kong.Context, std streams) error {
	build, surface := otel.ReadBuild(), newSurface(line.Model)
	for i, g := range surface.Groups { // what holds for all settings stands above them
		surface.Groups[i].About = strings.TrimSpace(strings.TrimSuffix(g.About, config.About))
	}
	return printTemplate(std, manualPage, manual{
		surface: surface, Date: build.Date, Version: build.Version, AboutSettings: config.About,
		ShutdownTime: shutdownTime.Seconds(), ConsulVariables: config.ConsulVariables,
	})
}

// roff lets a text stand in a manual page as it is, at the beginning of a line too.
func roff(text string) string {
	escaped := strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(text)
	if strings.HasPrefix(escaped, ".") || strings.HasPrefix(escaped, "'") {
		return `\&` + escaped
	}
	return escaped
}
