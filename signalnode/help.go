package signalnode

import (
	"fmt"
	"strings"
)

// help lists the commands, as they are typed for the control endpoint on that host, and the behaviors.
func help(host string) string {
	var b strings.Builder
	b.WriteString("commands\n")
	line := func(path, data, does string) {
		fmt.Fprintf(&b, "  curl %-40s %s\n", host+path+" -d "+data, does)
	}
	line("/jicofo", "crash", "its process dies: connections are refused")
	line("/jicofo", "recover", "it is up and healthy again")
	line("/jicofo", "'code 503'", "all its paths behave so; likewise /prosody")
	line("/jicofo/stats", "hang", "this path behaves so")
	line("/load", "'6000 300'", "participants and conferences of /stats")
	line("/rooms", "'5 2 3'", "rooms of the census, or none")
	b.WriteString("\nbehaviors\n")
	for _, f := range forms {
		fmt.Fprintf(&b, "  %-24s %s\n", f.usage, f.does)
	}
	return b.String()
}
