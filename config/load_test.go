package config

import (
	"bytes"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// vars are environment variables.
type vars = testbed.Vars

// shown is a setting's value and origin in a line that Print prints.
type shown struct{ value, origin string }

var shownLine = regexp.MustCompile(`(?m)^([A-Z_0-9]+) +(.*?) *\(([^()]*)\)$`)

// load reads the settings as a command does that was started with these variables and flags in a folder. It returns
// what check-config prints. Only one load may run at a time, because it replaces the environment of the process.
func load(t *testing.T, folder string, v vars, flags ...string) (c Config, printed string, err error) {
	t.Helper()
	before := os.Environ()
	defer setEnviron(t, before)
	setEnviron(t, v.Environ())
	t.Chdir(folder)
	line := struct {
		Command struct{} `cmd:"" default:"1"`
		kong.Plugins
	}{Plugins: Flags()}
	env := NewEnvironment(func(string) {})
	parser, err := kong.New(&line, kong.ExplicitGroups(Groups()), kong.Resolvers(env))
	testbed.Must(t, err)
	ctx, err := parser.Parse(flags)
	if err != nil {
		return c, "", err
	}
	if c, err = Load(ctx, env); err != nil {
		return c, "", err
	}
	var out bytes.Buffer
	testbed.Must(t, c.Print(&out, env))
	return c, out.String(), nil
}

func setEnviron(t *testing.T, all []string) {
	t.Helper()
	os.Clearenv()
	for _, pair := range all {
		name, value, _ := strings.Cut(pair, "=")
		testbed.Must(t, os.Setenv(name, value))
	}
}

// checkConfig loads settings that must be accepted. It returns the settings and the notices that check-config prints.
func checkConfig(t *testing.T, folder string, v vars, flags ...string) (all map[string]shown, notices []string) {
	t.Helper()
	_, printed, err := load(t, folder, v, flags...)
	testbed.Must(t, err)
	all = map[string]shown{}
	for _, m := range shownLine.FindAllStringSubmatch(printed, -1) {
		all[m[1]] = shown{m[2], m[3]}
	}
	for line := range strings.Lines(printed) {
		if notice, ok := strings.CutPrefix(line, "notice: "); ok {
			notices = append(notices, strings.TrimSpace(notice))
		}
	}
	return all, notices
}

// expectProblems loads settings that must be refused, with one problem for each beginning. Each problem has more text
// after its beginning.
func expectProblems(t *testing.T, folder string, v vars, flags []string, beginnings ...string) {
	t.Helper()
	_, _, err := load(t, folder, v, flags...)
	if err == nil {
		t.Errorf("%v %v is accepted", v, flags)
		return
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(beginnings) {
		t.Errorf("%d problems instead of %d: %v", len(lines), len(beginnings), err)
		return
	}
	for _, beginning := range beginnings {
		found := 0
		for _, line := range lines {
			if after, ok := strings.CutPrefix(line, beginning); ok && len(after) > 3 {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d lines begin with %q in\n%v", found, beginning, err)
		}
	}
}

// defaults returns what check-config prints without any setting.
func defaults() map[string]shown {
	all := map[string]shown{"ENV_FILE": {".env", "default"}}
	for _, s := range settings {
		all[s.name] = shown{s.initial, "default"}
	}
	return all
}

func TestCheckConfigShowsEverySetting(t *testing.T) {
	got, notices := checkConfig(t, t.TempDir(), nil)
	if !maps.Equal(got, defaults()) {
		t.Errorf("check-config shows\n%v\nwant\n%v", got, defaults())
	}
	if len(notices) > 0 {
		t.Errorf("notices about the defaults: %q", notices)
	}
}
