package config

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// Print prints the settings in force, one per line: variable, value, origin. It then prints the variables of
// OpenTelemetry and Consul that are set, and the notices.
func (c Config) Print(w io.Writer, env *Environment) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range sections {
		for _, d := range s.settings {
			if v := c.reader.values[d.name]; !d.hidden {
				fmt.Fprintf(table, "%s\t%s\t(%s)\n", d.name, masked(d.name, v.text), v.origin)
			}
		}
	}
	for _, name := range libraryVariables() {
		fmt.Fprintf(table, "%s\t%s\t(%s)\n", name, masked(name, os.Getenv(name)), env.originOf(name))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, notice := range c.Notices {
		if _, err := fmt.Fprintln(w, "notice:", notice); err != nil {
			return err
		}
	}
	return nil
}

// ConsulVariables are the variables of Consul's own client other than CONSUL_HTTP_*.
var ConsulVariables = []string{
	"CONSUL_CACERT", "CONSUL_CAPATH", "CONSUL_CLIENT_CERT", "CONSUL_CLIENT_KEY", "CONSUL_NAMESPACE", "CONSUL_PARTITION",
	"CONSUL_TLS_SERVER_NAME",
}

// libraryVariables returns the variables of OpenTelemetry and of Consul's client that are set.
func libraryVariables() []string {
	var names []string
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		ofLibrary := strings.HasPrefix(name, "OTEL_") || strings.HasPrefix(name, "CONSUL_HTTP_") ||
			slices.Contains(ConsulVariables, name)
		if ofLibrary && value != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// masked returns the value of a variable without its secrets. It hides the whole value if the name stands for a secret,
// else the arguments of a command,
// and the user, password and query of a URL.
func masked(name, value string) string {
	for _, secret := range []string{"HEADERS", "TOKEN", "AUTH", "SECRET", "PASSWORD"} {
		if strings.Contains(name, secret) {
			return "(not shown)"
		}
	}
	if strings.HasSuffix(name, "_DUMP") {
		return withoutArguments(value)
	}
	isURL := strings.Contains(value, "://")
	for _, suffix := range []string{"_ADDR", "_ENDPOINT", "_HOST", "_ORIG", "_URL_TEMPLATE", "--url", "--haproxy"} {
		isURL = isURL || strings.HasSuffix(name, suffix)
	}
	if isURL {
		return withoutQuery(withoutUser(value))
	}
	return value
}

// maskedRefused returns a refused value without its secrets. A value that was given to the wrong setting, or has a
// typing error, may be a URL with a password although it does not look like one.
func maskedRefused(name, value string) string {
	return withoutQuery(withoutUser(masked(name, value)))
}

// withoutArguments hides the arguments of a command.
func withoutArguments(command string) string {
	if words := strings.Fields(command); len(words) > 1 {
		return words[0] + " (arguments not shown)"
	}
	return command
}

// withoutQuery hides the query of a URL, except the places of {trace_id}.
func withoutQuery(url string) string {
	before, query, found := strings.Cut(url, "?")
	if !found || !strings.Contains(before, "://") {
		return url
	}
	query, fragment, hasFragment := strings.Cut(query, "#")
	shown := "xxxxx"
	if strings.Contains(query, "{trace_id}") {
		shown = "xxxxx{trace_id}xxxxx"
	}
	if hasFragment {
		shown += "#" + fragment
	}
	return before + "?" + shown
}
