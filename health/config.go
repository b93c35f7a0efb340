// Package health knows what a signal node's health is: what was observed, what follows from it, why, and until when.
// It is the only place that knows the rules (spec section 3); everything else observes for it or renders its verdict.
package health

import (
	"fmt"
	"time"
)

// GraceScope says which failures the drain grace covers.
type GraceScope string

// The scopes of DRAIN_GRACE_SCOPE.
const (
	// ScopeJicofo covers whatever is wrong with jicofo while prosody works, and a prosody that times out.
	ScopeJicofo GraceScope = "jicofo"
	// ScopeSoft covers soft failures only: jicofo's own 503 and a prosody that times out.
	ScopeSoft GraceScope = "soft"
)

// Config holds the settings that the rules depend on.
type Config struct {
	// ParticipantMax is the number of participants above which ready turns into drain; > 0.
	ParticipantMax float64
	// WeightParticipants derives the weight from the participants.
	WeightParticipants bool
	// HealthDampening is how long after the last unhealthy observation the node is still reported unhealthy; 0 disables.
	HealthDampening time.Duration
	// DrainGrace is for how long a qualifying failure shows as drain instead of down; 0 disables.
	DrainGrace time.Duration
	// DrainGraceScope says what qualifies.
	DrainGraceScope GraceScope
	// UnreachableTolerance is for how long a service that was healthy may refuse or reset connections; 0 disables.
	UnreachableTolerance time.Duration
	// AgentDescription adds the root reason to the agent reply.
	AgentDescription bool
	// Instance tells incidents of one sidecar from those of another that began at the same moment: their ids end in its
	// first 8 characters.
	Instance string
	// Census says that the census is polled: its sums are then part of the report.
	Census bool
}

// Normalize returns the config that is in force, and a warning for each setting that had to be changed: a drain grace
// that is not above the dampening interval, while both are on, is forced to dampening + 1 s (spec section 1).
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
