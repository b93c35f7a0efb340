package main_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// brokenSettings returns a folder with a bad .env, and environment variables of which some are bad.
func brokenSettings(t *testing.T) (folder string, v vars) {
	t.Helper()
	folder = t.TempDir()
	write(t, folder, ".env", "no list of variables\n")
	return folder, vars{"HTTP_PORT": "many", "OTEL_TRACES_EXPORTER": "smoke", "SHELL": "/bin/csh"}
}

// manual returns the manual page, printed while the settings are bad, and the path of a file with it.
func manual(t *testing.T) (text, path string) {
	t.Helper()
	folder, v := brokenSettings(t)
	r := runIn(t, folder, v, "man")
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("exit %d, %s", r.code, r.stderr)
	}
	return r.stdout, write(t, folder, "signal-sidecar.8", r.stdout)
}

// TestManIsAccepted checks that man and mandoc show the page without a warning.
func TestManIsAccepted(t *testing.T) {
	t.Parallel()
	_, path := manual(t)
	v := vars{"LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
	r := runCommand(t, t.TempDir(), v, manDB(t),
		"--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", path)
	if r.code != 0 || r.stderr != "" || r.stdout == "" {
		t.Errorf("man: exit %d, %s", r.code, r.stderr)
	}
	r = runCommand(t, t.TempDir(), v, testbed.Component(t, "mandoc"), "-T", "lint", "-W", "warning", path)
	for line := range strings.Lines(r.stdout + r.stderr) {
		if !strings.Contains(line, "missing date") { // a build without version control has no date
			t.Error(strings.TrimSpace(line))
		}
	}
}

// manDB returns the path of man, which must be that of man-db: the man of macOS has other options.
func manDB(t *testing.T) string {
	t.Helper()
	path := testbed.Component(t, "man")
	if out, err := exec.Command(path, "--version").CombinedOutput(); err != nil {
		testbed.Missing(t, fmt.Sprintf("man-db: %s --version: %v\n%s", path, err, out))
	}
	return path
}

// inHelp matches a flag of --help with its value, such as --http-port=PORT.
var inHelp = regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z-]+)(=\S+)?`)

// TestManIsComplete checks that the page contains each command, flag and setting of --help.
func TestManIsComplete(t *testing.T) {
	t.Parallel()
	_, path := manual(t)
	wide := vars{"LC_ALL": "C.UTF-8", "MANWIDTH": "1000", "MAN_KEEP_FORMATTING": ""}
	r := runCommand(t, filepath.Dir(path), wide, manDB(t), "-E", "UTF-8", "-l", path)
	page := regexp.MustCompile(` +`).ReplaceAllString(r.stdout, " ")
	for _, heading := range []string{
		"NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "SETTINGS", "FILES",
		"EXIT STATUS", "ENVIRONMENT", "SIGNALS", "SEE ALSO",
	} {
		if !strings.Contains(page, "\n"+heading+"\n") {
			t.Errorf("there is no section %s", heading)
		}
	}
	for _, command := range commands {
		if !regexp.MustCompile(`(?m)^ ` + command + `\b`).MatchString(page) {
			t.Errorf("there is no command %s", command)
		}
		for _, m := range inHelp.FindAllStringSubmatch(run(t, nil, command, "--help").stdout, -1) {
			if flag := m[1] + m[2]; !regexp.MustCompile(`(?m)^ (-\w, )?` + regexp.QuoteMeta(flag) + `( |$)`).MatchString(page) {
				t.Errorf("%s: there is no flag %s", command, flag)
			}
		}
	}
	for name, initial := range defaults(t) {
		want := "Variable " + name + ", default " + initial
		if initial == "" {
			want = "Variable " + name + ", no default"
		}
		if !strings.Contains(page, want) {
			t.Errorf("it does not contain %q", want)
		}
	}
}
