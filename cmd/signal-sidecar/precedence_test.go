package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// write writes a file in a folder and returns its path.
func write(t *testing.T, folder, name, content string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	testbed.Must(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// TestPrecedence gives every setting another value in each origin.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	file, environment, flags := choose(0), choose(1), choose(2)
	folder := t.TempDir()
	write(t, folder, ".env", asFile(file))
	other := write(t, t.TempDir(), "other", asFile(environment))
	named := vars{"ENV_FILE": other}

	steps := []struct {
		name        string
		folder      string
		environment vars
		flags       []string
		values      vars
		origin      string
	}{
		{"default", t.TempDir(), nil, nil, nil, "default"},
		{".env beats the default", folder, nil, nil, file, ".env"},
		{"the environment beats .env", folder, environment, nil, environment, "environment"},
		{"flags beat .env", folder, nil, asFlags(flags), flags, "flag"},
		{"flags beat the environment", folder, environment, asFlags(flags), flags, "flag"},
		{"a file named by flag is read instead of .env", folder, nil, []string{"--env-file", other}, environment, other},
		{"a file named by variable is read instead of .env", folder, named, nil, environment, other},
		{"the flag names the file", folder, vars{"ENV_FILE": "/nonexistent"}, []string{"--env-file=" + other},
			environment, other},
		{"the environment beats a named file", folder, file.With(named), nil, file, "environment"},
		{"flags beat a named file", folder, named, asFlags(flags), flags, "flag"},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			got, _ := checkConfig(t, step.folder, step.environment, step.flags...)
			for _, s := range settings {
				want := shown{step.values[s.name], step.origin}
				if step.values == nil {
					want.value = s.initial
				}
				if got[s.name] != want && s.name != "DRAIN_GRACE_INTERVAL" { // it may be forced
					t.Errorf("%s: %v, want %v", s.name, got[s.name], want)
				}
			}
		})
	}
}

// TestPrecedencePerSetting gives each setting a value from another origin.
func TestPrecedencePerSetting(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, folder, ".env", "HTTP_PORT=1\nTCP_PORT=2\nPOLLING_INTERVAL=3\n# PROBE_TIMEOUT=4\n\nexport METRICS=no\n")
	got, _ := checkConfig(t, folder, vars{"TCP_PORT": "12", "POLLING_INTERVAL": "13"}, "--polling-interval", "23")
	want := map[string]shown{
		"HTTP_PORT": {"1", ".env"}, "TCP_PORT": {"12", "environment"}, "POLLING_INTERVAL": {"23", "flag"},
		"PROBE_TIMEOUT": {"3", "default"}, "METRICS": {"no", ".env"},
	}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s: %v, want %v", name, got[name], w)
		}
	}
}

func TestEmptyVariablesCountAsUnset(t *testing.T) {
	t.Parallel()
	empty := vars{"ENV_FILE": "", "PARTIPANT_MAX": "", "HA_PORT": ""}
	for _, s := range settings {
		empty[s.name] = ""
	}
	defaults, _ := checkConfig(t, t.TempDir(), nil)
	expectSettings(t, "environment", defaults, t.TempDir(), empty)
	folder := t.TempDir()
	write(t, folder, ".env", asFile(empty))
	expectSettings(t, "file", defaults, folder, nil)
	for name, was := range defaults {
		if got, _ := checkConfig(t, t.TempDir(), nil, flagOf(name)+"="); got[name].value != was.value {
			t.Errorf("%s=: %v, want %v", flagOf(name), got[name], was)
		}
	}

	write(t, folder, ".env", "HTTP_PORT=1\n")
	defaults["HTTP_PORT"] = shown{"1", ".env"}
	expectSettings(t, "environment over file", defaults, folder, empty)
}

func expectSettings(t *testing.T, place string, want map[string]shown, folder string, v vars) {
	t.Helper()
	got, notices := checkConfig(t, folder, v)
	for name, w := range want {
		if got[name] != w {
			t.Errorf("empty in %s: %s: %v, want %v", place, name, got[name], w)
		}
	}
	if len(notices) > 0 {
		t.Errorf("empty in %s: notices: %q", place, notices)
	}
}
