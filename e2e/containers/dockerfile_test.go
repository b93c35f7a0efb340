package containers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// lint reads a Dockerfile as docker build does, and returns its warnings.
func lint(t *testing.T, content []byte) (stages []instructions.Stage, warnings []string) {
	t.Helper()
	result, err := parser.Parse(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range result.Warnings {
		warnings = append(warnings, w.Short)
	}
	stages, _, err = instructions.Parse(result.AST, linter.New(&linter.Config{
		Warn: func(rule, _, _, message string, _ []parser.Range) {
			warnings = append(warnings, fmt.Sprintf("%s: %s", rule, message))
		},
	}))
	if err != nil {
		t.Fatal(err)
	}
	return stages, warnings
}

// golang returns the base image of the Dockerfile's first stage.
func golang(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	stages, _ := lint(t, content)
	return stages[0].BaseName
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	stages, warnings := lint(t, content)
	if len(warnings) > 0 {
		t.Errorf("warnings: %q", warnings)
	}
	if last := stages[len(stages)-1]; len(stages) != 2 || last.BaseName != "scratch" {
		t.Errorf("%d stages, the last from %s", len(stages), last.BaseName)
	}
	// The name is not a variable: Dependabot would not find it.
	if m := pinned.FindStringSubmatch(stages[0].BaseName); m == nil || m[1] != "golang" || m[3] == "" {
		t.Errorf("the first stage is from %s, want golang with a version and a digest", stages[0].BaseName)
	}
	// Bad casing shows that there can be warnings.
	_, warnings = lint(t, bytes.Replace(content, []byte(" AS build"), []byte(" as build"), 1))
	if !slices.ContainsFunc(warnings, func(w string) bool { return strings.HasPrefix(w, "FromAsCasing") }) {
		t.Errorf("warnings of bad casing: %q", warnings)
	}
}
