package signalnode

import (
	"fmt"
	"strings"
)

// help lists the commands, as they are typed for the control endpoint on that host, and the behaviors.
func help(host string) string {
	var b strings.Builder
	b.WriteString("commands\n")
	addCommand := func(path, data, does string) {
		fmt.Fprintf(&b, "  curl %-40s %s\n", host+path+" -d "+data, does)
	}
	addCommand("/jicofo", "crash", "the process dies: connections are refused")
	addCommand("/jicofo", "recover", "the service runs and is healthy again")
	addCommand("/jicofo", "'code 503'", "sets the behavior of all paths; likewise /prosody")
	addCommand("/jicofo/stats", "hang", "sets the behavior of this path")
	addCommand("/load", "'6000 300'", "participants and conferences of /stats")
	addCommand("/rooms", "'5 2 3'", "rooms of the census, or none")
	b.WriteString("\nbehaviors\n")
	for _, f := range forms {
		fmt.Fprintf(&b, "  %-24s %s\n", f.usage, f.does)
	}
	return b.String()
}
