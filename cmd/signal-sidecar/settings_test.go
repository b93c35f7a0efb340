package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

var shownLine = regexp.MustCompile(`(?m)^([A-Z_0-9]+) +(.*?) *\(default\)$`)

// defaults returns the default of each setting ("" for none), as check-config prints it.
func defaults(t *testing.T) vars {
	t.Helper()
	r := run(t, nil, "check-config")
	all := vars{}
	for _, m := range shownLine.FindAllStringSubmatch(r.stdout, -1) {
		all[m[1]] = m[2]
	}
	if r.code != 0 || r.stderr != "" || len(all) < 40 {
		t.Fatalf("check-config: exit %d, %d settings, %s", r.code, len(all), r.stderr)
	}
	return all
}

func TestEverySettingIsInHelp(t *testing.T) {
	t.Parallel()
	settings := defaults(t)
	for _, args := range [][]string{
		{"--help"}, {"-h"}, {"serve", "--help"}, {"demo", "--help"}, {"check-config", "--help"},
	} {
		r := run(t, nil, args...)
		if r.code != 0 || r.stderr != "" {
			t.Fatalf("%v: exit %d, %s", args, r.code, r.stderr)
		}
		help := strings.Join(strings.Fields(r.stdout), " ")
		for name, initial := range settings {
			flag, _, _ := strings.Cut(vars{name: ""}.Flags()[0], "=")
			if !strings.Contains(help, " "+flag) {
				t.Errorf("%v does not name %s", args, flag)
			}
			text := " " + name + " "
			if initial != "" {
				text += "[" + initial + "]"
			}
			if !strings.Contains(help+" ", text) {
				t.Errorf("%v does not contain%q", args, text)
			}
		}
	}
}

// TestBadSettings checks that each command that reads settings ends with code 2 and one line for each problem. The
// tests of config check each setting.
func TestBadSettings(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := testbed.Write(t, folder, "bad.env", "METRICS=perhaps\n")
	v := vars{"ENV_FILE": file, "HTTP_PORT": "many", "OTEL_TRACES_EXPORTER": "smoke"}
	for _, command := range []string{"serve", "check-config", "demo"} {
		expectProblems(t, runIn(t, folder, v, command, "--polling-interval=0"),
			`HTTP_PORT="many" (environment): must be `, `OTEL_TRACES_EXPORTER="smoke" (environment): must be `,
			`METRICS="perhaps" (`+file+`): must be `, `POLLING_INTERVAL="0" (flag): must be `)
		expectProblems(t, run(t, vars{"ENV_FILE": "/nonexistent", "HTTP_PORT": "many"}, command),
			`ENV_FILE="/nonexistent": cannot be read: `)
	}
}

// expectProblems checks the exit code, and that standard error has one line for each beginning, with more text after
// it.
func expectProblems(t *testing.T, r result, beginnings ...string) {
	t.Helper()
	lines := r.problems()
	slices.Sort(lines)
	slices.Sort(beginnings)
	ok := r.code == 2 && r.stdout == "" && len(lines) == len(beginnings)
	for i := 0; ok && i < len(lines); i++ {
		after, found := strings.CutPrefix(lines[i], "signal-sidecar: "+beginnings[i])
		ok = found && len(after) > 3
	}
	if !ok {
		t.Errorf("exit %d, standard output %q, standard error:\n%s\nwant lines that begin with %q",
			r.code, r.stdout, r.stderr, beginnings)
	}
}

// TestProblemsBeforePorts compares the system calls of a start with a bad value and of a start that fails at a port in
// use.
func TestProblemsBeforePorts(t *testing.T) {
	t.Parallel()
	strace := testbed.Component(t, "strace")
	for value, binds := range map[string]bool{"json": true, "xml": false} {
		trace := filepath.Join(t.TempDir(), "trace")
		v := vars{
			"HTTP_PORT": occupy(t), "HTTP_ADDR": "127.0.0.1", "TCP_ADDR": "127.0.0.1", "TCP_PORT": "0", "LOG_FORMAT": value,
		}
		runCommand(t, t.TempDir(), v, strace, "-f", "-e", "trace=bind,listen", "-o", trace, testbed.Binary(t))
		calls, err := os.ReadFile(trace)
		testbed.Must(t, err)
		if got := strings.Contains(string(calls), "bind("); got != binds {
			t.Errorf("LOG_FORMAT=%s: ports opened: %t, want %t\n%s", value, got, binds, calls)
		}
	}
}

// TestHelpWithoutEnvFile requests help while the env file is bad.
func TestHelpWithoutEnvFile(t *testing.T) {
	r := run(t, vars{"ENV_FILE": "/nonexistent"}, "--help")
	if r.code != 0 || r.stderr != "" {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
}

// TestSettingsNotices checks that serve logs the notices of check-config, and counts them in a metric.
func TestSettingsNotices(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, vars{"HA_PORT": "7070", "HEALTH_DAMPENING_INTERVAL": "30", "DRAIN_GRACE_INTERVAL": "10"})
	warnings := s.Logged("setting is not in force as given", "level", "warn")
	if len(warnings) != 2 || !strings.Contains(warnings[0]["notice"].(string), "DRAIN_GRACE_INTERVAL") ||
		!strings.Contains(warnings[1]["notice"].(string), "HA_PORT") {
		t.Errorf("warnings in the log: %v", warnings)
	}
	if n := s.Metric("signal_settings_notices"); n != "2" {
		t.Errorf("signal_settings_notices is %q, want 2", n)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--version"}, {"serve", "--version"}, {"--http-port=x", "--version"}} {
		r := run(t, vars{"TCP_PORT": "x", "ENV_FILE": "/nonexistent"}, args...)
		if r.code != 0 || r.stderr != "" ||
			!regexp.MustCompile(`^signal-sidecar \S+ \(revision .+, go1\.\S+\)\n$`).MatchString(r.stdout) {
			t.Errorf("%q: exit %d, %q %q", args, r.code, r.stdout, r.stderr)
		}
	}
}

func TestBadCommandLines(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{ // the error must name the first word
		{"--no-such-flag"},
		{"--http-ports", "1"},
		{"-x"},
		{"no-such-command"},
		{"many", "check-config"},
		{"--http-port"},
	} {
		r := run(t, nil, args...)
		if r.code != 2 || r.stdout != "" || len(r.problems()) != 1 || !strings.Contains(r.stderr, args[0]) {
			t.Errorf("%q: exit %d, standard output %q, standard error %q", args, r.code, r.stdout, r.stderr)
		}
	}
}
