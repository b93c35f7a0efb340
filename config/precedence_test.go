package config

import (
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestPrecedence gives every setting another value in each origin.
func TestPrecedence(t *testing.T) {
	file, environment, flags := choose(0), choose(1), choose(2)
	folder := t.TempDir()
	testbed.Write(t, folder, ".env", file.EnvFile())
	other := testbed.Write(t, t.TempDir(), "other", environment.EnvFile())
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
		{"flags beat .env", folder, nil, flags.Flags(), flags, "flag"},
		{"flags beat the environment", folder, environment, flags.Flags(), flags, "flag"},
		{"a file named by flag is read instead of .env", folder, nil, []string{"--env-file", other}, environment, other},
		{"a file named by variable is read instead of .env", folder, named, nil, environment, other},
		{"the flag names the file", folder, vars{"ENV_FILE": "/nonexistent"}, []string{"--env-file=" + other},
			environment, other},
		{"the environment beats a named file", folder, file.With(named), nil, file, "environment"},
		{"flags beat a named file", folder, named, flags.Flags(), flags, "flag"},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			got, _ := checkConfig(t, step.folder, step.environment, step.flags...)
			for _, s := range settings {
				want := shown{step.values[s.name], step.origin}
				if step.values == nil {
					want.value = s.initial
				}
				want.value = masked(s.name, want.value)
				if got[s.name] != want && s.name != "DRAIN_GRACE_INTERVAL" { // it may be forced
					t.Errorf("%s: %v, want %v", s.name, got[s.name], want)
				}
			}
		})
	}
}

// TestPrecedencePerSetting gives each setting a value from another origin.
func TestPrecedencePerSetting(t *testing.T) {
	folder := t.TempDir()
	testbed.Write(t, folder, ".env", "HTTP_PORT=1\nTCP_PORT=2\nPOLLING_INTERVAL=3\n# PROBE_TIMEOUT=4\n\nexport METRICS=no\n")
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
	empty := vars{"ENV_FILE": "", "PARTIPANT_MAX": "", "HA_PORT": ""}
	for _, s := range settings {
		empty[s.name] = ""
	}
	want := defaults()
	expectSettings(t, "environment", want, t.TempDir(), empty)
	folder := t.TempDir()
	testbed.Write(t, folder, ".env", empty.EnvFile())
	expectSettings(t, "file", want, folder, nil)
	for name, was := range want {
		if got, _ := checkConfig(t, t.TempDir(), nil, vars{name: ""}.Flags()...); got[name].value != was.value {
			t.Errorf("%s=: %v, want %v", name, got[name], was)
		}
	}

	testbed.Write(t, folder, ".env", "HTTP_PORT=1\n")
	want["HTTP_PORT"] = shown{"1", ".env"}
	expectSettings(t, "environment over file", want, folder, empty)
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
