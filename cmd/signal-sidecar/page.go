package main

import (
	"os"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/otel"
	"github.com/signal-sidecar/signal-sidecar/rest"
)

// pageOptions is what the status page shows beside the snapshots and the history.
func pageOptions(c config.Config) rest.PageOptions {
	host, _ := os.Hostname() // without it the page shows no name of the node
	return rest.PageOptions{Host: host, Version: otel.ReadBuild().Version, TraceURL: c.TraceURL}
}
