package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Phrases that occur in every copy of a licence, in lower case and with single spaces.
var (
	apache   = regexp.MustCompile(`apache license,? version 2\.0`)
	mpl      = regexp.MustCompile(`mozilla public license,? version 2\.0`)
	mit      = regexp.MustCompile(`permission is hereby granted, free of charge, to any person obtaining a copy`)
	bsd      = regexp.MustCompile(`redistribution and use in source and binary forms`)
	bsdThird = regexp.MustCompile(`neither the names? of`) // the third clause
)

// spdx returns the SPDX identifiers of the licences in a text. Texts such as notices have none.
func spdx(text string) (ids []string) {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	if apache.MatchString(text) {
		ids = append(ids, "Apache-2.0")
	}
	switch {
	case bsd.MatchString(text) && bsdThird.MatchString(text):
		ids = append(ids, "BSD-3-Clause")
	case bsd.MatchString(text):
		ids = append(ids, "BSD-2-Clause")
	}
	if mit.MatchString(text) {
		ids = append(ids, "MIT")
	}
	if mpl.MatchString(text) {
		ids = append(ids, "MPL-2.0")
	}
	return ids
}

// identify returns the SPDX expression of each module. A module with a licence that spdx does not know is an error:
// somebody must read that licence before it is shipped.
func (f texts) identify() (map[string]string, error) {
	found := map[string]map[string]bool{}
	for text, parts := range f {
		for _, p := range parts {
			if found[p.module] == nil {
				found[p.module] = map[string]bool{}
			}
			for _, id := range spdx(text) {
				found[p.module][id] = true
			}
		}
	}
	expressions := map[string]string{}
	for module, ids := range found {
		if len(ids) == 0 {
			return nil, fmt.Errorf("%s has a licence that this program does not know", module)
		}
		expressions[module] = strings.Join(slices.Sorted(maps.Keys(ids)), " AND ")
	}
	return expressions, nil
}

// addToBOM adds the licences to a CycloneDX SBOM in JSON. cyclonedx-gomod can detect licences too, but it takes that of
// golang.org/x for BSD-Source-Code, and does not know that of the standard library.
func addToBOM(path string, expressions map[string]string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var bom map[string]any
	if err := json.Unmarshal(content, &bom); err != nil {
		return err
	}
	components, _ := bom["components"].([]any)
	for _, c := range components {
		component, _ := c.(map[string]any)
		name, _ := component["name"].(string)
		expression := expressions[name]
		if expression == "" {
			return fmt.Errorf("%s is not in the program", cmp.Or(name, "a component without a name"))
		}
		component["licenses"] = []any{map[string]any{"expression": expression}}
	}
	metadata, _ := bom["metadata"].(map[string]any)
	program, _ := metadata["component"].(map[string]any)
	if program == nil || len(components) == 0 {
		return fmt.Errorf("not the SBOM of a program")
	}
	program["licenses"] = []any{map[string]any{"expression": "Apache-2.0"}}
	content, err = json.MarshalIndent(bom, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o600) // the file exists and keeps its mode
}
