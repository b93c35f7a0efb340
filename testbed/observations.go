package testbed

import (
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// Answers of a service to a probe.
var (
	OK      = health.Answer{Code: 200}
	Unwell  = health.Answer{Code: 503}
	Refused = health.Answer{
		Failure: health.FailureRefused, Detail: "does not accept connections at localhost:5280",
		Error: "dial tcp 127.0.0.1:5280: connect: connection refused",
	}
)

// DefaultRules are the default settings of the verdict.
var DefaultRules = health.Config{
	ParticipantMax: 5000, DrainGrace: 120 * time.Second, HealthDampening: 30 * time.Second,
	DrainGraceScope: health.ScopeJicofo,
}

// Jicofo returns what a regular poll of jicofo observed.
func Jicofo(h, stats health.Answer) health.Observation {
	return health.Observation{Trigger: health.TriggerTick, Jicofo: &health.Jicofo{Health: h, Stats: stats}}
}

// Prosody returns what a regular poll of prosody observed.
func Prosody(h health.Answer) health.Observation {
	return health.Observation{Trigger: health.TriggerTick, Prosody: &health.Prosody{Health: h}}
}

// StatusFile returns an observation of a status file with these contents.
func StatusFile(contents string) health.Observation {
	return health.Observation{StatusFile: &health.StatusFile{Found: true, Contents: contents}}
}
