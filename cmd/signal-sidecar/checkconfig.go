package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"
)

// checkConfigCommand prints the settings that would be in force, one a line: variable, value, where it came from.
type checkConfigCommand struct{}

func (checkConfigCommand) Run(line *kong.Context, env *environment, std streams) error {
	c, err := newConfig(line, env)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(std.stdout, 0, 0, 2, ' ', 0)
	for _, name := range c.given.names {
		v := c.given.values[name]
		if name == "PARTIPANT_MAX" { // shown as PARTICIPANT_MAX
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t(%s)\n", name, shown(name, v.raw), v.origin)
	}
	for _, name := range foreignVariables() {
		fmt.Fprintf(w, "%s\t%s\t(%s)\n", name, shown(name, os.Getenv(name)), env.originOf(name))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, notice := range c.notices {
		fmt.Fprintln(std.stdout, "notice:", notice)
	}
	return nil
}

// consulVariables are those of Consul's own client, beside CONSUL_HTTP_*.
var consulVariables = []string{"CONSUL_CACERT", "CONSUL_CAPATH", "CONSUL_CLIENT_CERT", "CONSUL_CLIENT_KEY", "CONSUL_NAMESPACE", "CONSUL_PARTITION", "CONSUL_TLS_SERVER_NAME"}

// foreignVariables lists the variables of OpenTelemetry and of Consul's client that are set.
func foreignVariables() []string {
	var names []string
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		foreign := strings.HasPrefix(name, "OTEL_") || strings.HasPrefix(name, "CONSUL_HTTP_") ||
			slices.Contains(consulVariables, name)
		if foreign && value != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// shown is a variable's value, unless it may hold a secret. The user and password of a URL are hidden.
func shown(name, value string) string {
	for _, secret := range []string{"HEADERS", "TOKEN", "AUTH", "SECRET", "PASSWORD"} {
		if strings.Contains(name, secret) {
			return "(not shown)"
		}
	}
	if strings.Contains(value, "://") || strings.HasSuffix(name, "_ORIG") || strings.HasSuffix(name, "_ENDPOINT") || name == "CONSUL_HTTP_ADDR" {
		return withoutUser(value)
	}
	return value
}
