package main

import (
	"os"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/otel"
	"github.com/signal-sidecar/signal-sidecar/rest"
)

// pageOptions returns what the status page shows in addition to the snapshots and the history.
func pageOptions(c config.Config) rest.PageOptions {
	host, _ := os.Hostname() // on an error the page shows no host name
	return rest.PageOptions{Host: host, Version: otel.ReadBuild().Version, TraceURL: c.TraceURL,
		ParticipantMax: c.Rules.ParticipantMax}
}
