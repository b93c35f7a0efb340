// Package health decides the health of a signal node: what was observed, which verdict follows from it, why, and until
// when. It is the only package that contains the rules. Other packages make the observations or show
// the verdict.
package health

import (
	"fmt"
	"time"
)

// GraceScope selects the failures that the drain grace covers.
type GraceScope string

// The values of DRAIN_GRACE_SCOPE.
const (
	// ScopeJicofo covers every failure of jicofo while prosody works, and a timeout of prosody.
	ScopeJicofo GraceScope = "jicofo"
	// ScopeSoft covers only soft failures: a 503 from jicofo and a timeout of prosody.
	ScopeSoft GraceScope = "soft"
)

// Config holds the settings that the rules depend on.
type Config struct {
	// ParticipantMax is the number of participants above which ready turns into drain. It must be > 0.
	ParticipantMax float64
	// WeightParticipants derives the weight from the participants.
	WeightParticipants bool
	// HealthDampening is how long the node is still reported unhealthy after the last unhealthy observation; 0 disables
	// it.
	HealthDampening time.Duration
	// DrainGrace is how long a failure that qualifies is reported as drain instead of down; 0 disables it.
	DrainGrace time.Duration
	// DrainGraceScope selects the failures that qualify.
	DrainGraceScope GraceScope
	// UnreachableTolerance is how long a service that was healthy may refuse or reset connections; 0 disables it.
	UnreachableTolerance time.Duration
	// AgentDescription adds the root reason to the agent reply.
	AgentDescription bool
	// Instance identifies the sidecar. Incident ids end in its first 8 characters, because incidents of two sidecars can
	// begin at the same time.
	Instance string
	// Census enables the sums over the census in the report. It is set when the census is polled.
	Census bool
}

// Normalize returns the config to use, and a warning for each setting that it changed. If dampening and drain grace are
// both enabled, the grace must be longer than the dampening interval; otherwise Normalize sets it to dampening + 1 s
// .
func (c Config) Normalize() (Config, []string) {
	if c.HealthDampening <= 0 || c.DrainGrace <= 0 || c.DrainGrace > c.HealthDampening {
		return c, nil
	}
	forced := c.HealthDampening + time.Second
	warning := fmt.Sprintf("DRAIN_GRACE_INTERVAL (%s) must be above HEALTH_DAMPENING_INTERVAL (%s): %s is used",
		c.DrainGrace, c.HealthDampening, forced)
	c.DrainGrace = forced
	return c, []string{warning}
}
