package main_test

import (
	"encoding/json"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

var dependencyRow = regexp.MustCompile(`(?m)^\| ([a-z]+\.[^|]+/[^|]+) \| [^|]+ \| [^|]+ \|$`)

// TestDependenciesPage checks that docs/dependencies.md has a row for each direct dependency, in the section that
// matches: in the program, or in tests only.
func TestDependenciesPage(t *testing.T) {
	t.Parallel()
	program, tests, found := strings.Cut(testbed.Contents("../../docs/dependencies.md"), "\n## In tests only\n")
	if !found {
		t.Fatal("docs/dependencies.md has no section In tests only")
	}
	linked := map[string]bool{}
	for path := range strings.Lines(goCommand(t, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")) {
		linked[strings.TrimSpace(path)] = true
	}
	wantProgram, wantTests := map[string]bool{}, map[string]bool{}
	for _, path := range directDependencies(t) {
		if linked[path] {
			wantProgram[path] = true
		} else {
			wantTests[path] = true
		}
	}
	compare := func(section string, rows []string, want map[string]bool) {
		t.Helper()
		wanted := slices.Sorted(maps.Keys(want))
		slices.Sort(rows)
		if len(wanted) == 0 || !slices.Equal(rows, wanted) {
			t.Errorf("%s:\nrows %q\nwant %q", section, rows, wanted)
		}
	}
	compare("in the program", dependencyRows(program), wantProgram)
	compare("in tests only", dependencyRows(tests), wantTests)
}

// dependencyRows returns the modules in the first column of the tables.
func dependencyRows(page string) (modules []string) {
	for _, row := range dependencyRow.FindAllStringSubmatch(page, -1) {
		modules = append(modules, strings.Split(row[1], ", ")...)
	}
	return modules
}

// directDependencies returns the modules that go.mod requires without the comment "indirect".
func directDependencies(t *testing.T) (modules []string) {
	t.Helper()
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	testbed.Must(t, json.Unmarshal([]byte(goCommand(t, "mod", "edit", "-json")), &mod))
	for _, r := range mod.Require {
		if !r.Indirect {
			modules = append(modules, r.Path)
		}
	}
	return modules
}

func goCommand(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}
