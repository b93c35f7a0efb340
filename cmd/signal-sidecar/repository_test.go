package main_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

var (
	workflowAction = regexp.MustCompile(`(?m)^ *(?:- )?uses: (.*)$`)
	pinnedAction   = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	goVersion      = regexp.MustCompile(`(?:go-version: "|golang:)(\d+\.\d+\.\d+)`)
)

// TestWorkflows checks that the workflows run no action but those of a known commit, and use the Go version of the
// image. make actionlint checks the rest.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	image := goVersion.FindStringSubmatch(testbed.Contents("../../Dockerfile"))[1]
	paths, err := filepath.Glob("../../.github/workflows/*.yml")
	if err != nil || len(paths) < 2 {
		t.Fatalf("workflows: %q, %v", paths, err)
	}
	for _, path := range paths {
		content := testbed.Contents(path)
		actions := workflowAction.FindAllStringSubmatch(content, -1)
		if len(actions) == 0 {
			t.Errorf("%s uses nothing", path)
		}
		for _, action := range actions {
			if !strings.HasPrefix(action[1], "./") && !pinnedAction.MatchString(action[1]) {
				t.Errorf("%s: %s is not pinned to a commit", path, action[1])
			}
		}
		for _, version := range goVersion.FindAllStringSubmatch(content, -1) {
			if version[1] != image {
				t.Errorf("%s uses Go %s; the Dockerfile uses %s", path, version[1], image)
			}
		}
	}
}

// TestDependabotFindsAllModules checks that every go.mod of the repository gets updates.
func TestDependabotFindsAllModules(t *testing.T) {
	t.Parallel()
	var config struct {
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directories []string
		}
	}
	testbed.Must(t, yaml.Unmarshal([]byte(testbed.Contents("../../.github/dependabot.yml")), &config))
	var found []string
	root := os.DirFS("../..")
	for _, pattern := range []string{"go.mod", "*/go.mod", "*/*/go.mod", "*/*/*/go.mod"} {
		files, err := fs.Glob(root, pattern)
		testbed.Must(t, err)
		for _, file := range files {
			if !strings.HasPrefix(file, "dist/") {
				found = append(found, path.Join("/", path.Dir(file)))
			}
		}
	}
	slices.Sort(found)
	listed := slices.Sorted(slices.Values(config.Updates[0].Directories))
	if config.Updates[0].Ecosystem != "gomod" || len(found) < 5 || !slices.Equal(found, listed) {
		t.Errorf("dependabot updates %q; the modules are in %q", listed, found)
	}
}
