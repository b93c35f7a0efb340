package main

import (
	"os"
	"time"

	"github.com/signal-sidecar/signal-sidecar/otel"
	"github.com/signal-sidecar/signal-sidecar/rest"
)

// page is what the status page needs. Of the past it shows what the history keeps.
func (s *sidecar) page(c config) rest.PageOptions {
	host, _ := os.Hostname() // without one the page names none
	return rest.PageOptions{Past: s.past, Host: host, Version: otel.ReadBuild().Version, TraceURL: c.traceURL}
}

func (s *sidecar) past() rest.Past {
	past := rest.Past{Samples: s.history.Samples()}
	for _, c := range s.history.Changes() {
		past.Changes = append(past.Changes, rest.Change{
			At: time.Time(c.At), From: c.From, To: c.To, State: c.State, Damped: c.Damped, Reasons: c.Reasons, Incident: c.Incident, TraceID: c.TraceID,
		})
	}
	return past
}
