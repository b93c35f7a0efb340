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

// dependabotDirectories returns the directories that get updates, by ecosystem.
func dependabotDirectories(t *testing.T) map[string][]string {
	t.Helper()
	var config struct {
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directories []string
		}
	}
	testbed.Must(t, yaml.Unmarshal([]byte(testbed.Contents("../../.github/dependabot.yml")), &config))
	directories := map[string][]string{}
	for _, update := range config.Updates {
		directories[update.Ecosystem] = update.Directories
	}
	return directories
}

// TestDependabotFindsAllModules checks that every go.mod of the repository gets updates.
func TestDependabotFindsAllModules(t *testing.T) {
	t.Parallel()
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
	listed := slices.Sorted(slices.Values(dependabotDirectories(t)["gomod"]))
	if len(found) < 5 || !slices.Equal(found, listed) {
		t.Errorf("dependabot updates %q; the modules are in %q", listed, found)
	}
}

// TestDependabotFindsAllImages checks that every folder with an image that has a version gets updates.
func TestDependabotFindsAllImages(t *testing.T) {
	t.Parallel()
	directories := dependabotDirectories(t)
	for ecosystem, c := range map[string]struct {
		patterns []string
		image    *regexp.Regexp
	}{
		"docker": {
			[]string{"Dockerfile", "*/*/Dockerfile", "deploy/*/*.yaml"},
			regexp.MustCompile(`(?m)^ *(?:- )?(?:FROM|image:) (?:--\S+ )?[a-z0-9./-]+:\w`),
		},
		"docker-compose": {
			[]string{"docker-compose.yml", "*/*/docker-compose.yml"}, regexp.MustCompile(`(?m)^ *image: [a-z0-9./-]+:\w`),
		},
	} {
		var found []string
		for _, pattern := range c.patterns {
			files, err := filepath.Glob("../../" + pattern)
			testbed.Must(t, err)
			for _, file := range files {
				if c.image.MatchString(testbed.Contents(file)) {
					found = append(found, path.Join("/", path.Dir(strings.TrimPrefix(filepath.ToSlash(file), "../../"))))
				}
			}
		}
		slices.Sort(found)
		found = slices.Compact(found)
		if !slices.Equal(found, directories[ecosystem]) {
			t.Errorf("dependabot updates images (%s) in %q; they are in %q", ecosystem, directories[ecosystem], found)
		}
	}
}
