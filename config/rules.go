package config

import (
	"maps"
	"slices"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// rules returns the settings that the verdict depends on, by variable.
func rules() map[string]declaration {
	all := map[string]declaration{}
	for _, s := range sections {
		for _, d := range s.settings {
			if s.Key == "rules" && !d.hidden {
				all[d.name] = d
			}
		}
	}
	return all
}

// RuleNames returns the names of the settings that the verdict depends on.
func RuleNames() []string { return slices.Sorted(maps.Keys(rules())) }

// SetRule sets one of RuleNames. origin is the origin of the text in an error.
func SetRule(c *health.Config, name, text, origin string) error {
	all := Config{Rules: *c}
	if err := rules()[name].parse(&all, text); err != nil {
		return NewError(name, text, origin, err)
	}
	*c = all.Rules
	return nil
}
