package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// packagedFolder returns a working directory in which the settings file of the package has this content.
func packagedFolder(t *testing.T, v vars) string {
	t.Helper()
	folder := t.TempDir()
	testbed.Must(t, os.Mkdir(filepath.Join(folder, filepath.Dir(testbed.PackagedFile)), 0o755))
	write(t, folder, testbed.PackagedFile, v.EnvFile())
	return folder
}

const packagedNote = "signal-sidecar: settings of " + testbed.PackagedFile + "\n"

// TestPackagedSettings checks that the commands about this node use the settings of its service without a flag.
func TestPackagedSettings(t *testing.T) {
	t.Parallel()
	s := startShard(t, nil)
	s.becomes(t, "up ready 100%")
	_, port, _ := strings.Cut(s.HTTP, ":")
	file := filepath.Join(t.TempDir(), "shard-status")
	folder := packagedFolder(t, vars{"HTTP_PORT": port, "POLLING_INTERVAL": "7", "STATUS_PATH": file})

	if r := runIn(t, folder, nil, "status"); r.code != saysUp || r.stderr != packagedNote {
		t.Errorf("status: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	r := runIn(t, folder, nil, "status", "--json")
	if r.code != saysUp || r.stderr != packagedNote || !json.Valid([]byte(r.stdout)) {
		t.Errorf("status --json: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	for _, word := range []string{"drain", "maint", "ready"} {
		if r := runIn(t, folder, nil, word); r.code != 0 || r.stderr != packagedNote || testbed.Contents(file) != word+"\n" {
			t.Errorf("%s: exit %d, %s%s", word, r.code, r.stdout, r.stderr)
		}
	}
	for name, c := range map[string]struct {
		v    vars
		args []string
		want []string
		note string
	}{
		"no other": {nil, nil, []string{
			"POLLING_INTERVAL 7 (" + testbed.PackagedFile + ")",
			"ENV_FILE " + testbed.PackagedFile + " (package)"}, packagedNote},
		"environment": {vars{"POLLING_INTERVAL": "8"}, nil, []string{
			"POLLING_INTERVAL 8 (environment)", "HTTP_PORT " + port + " (" + testbed.PackagedFile + ")"}, packagedNote},
		"named":  {nil, []string{"--env-file", "/dev/null"}, []string{"POLLING_INTERVAL 5 (default)"}, ""},
		"named2": {vars{"ENV_FILE": "/dev/null"}, nil, []string{"POLLING_INTERVAL 5 (default)"}, ""},
	} {
		r := runIn(t, folder, c.v, append([]string{"check-config"}, c.args...)...)
		shown := strings.Join(strings.Fields(r.stdout), " ")
		for _, want := range c.want {
			if !strings.Contains(shown, want) {
				t.Errorf("%s: no %q in\n%s", name, want, r.stdout)
			}
		}
		if r.code != 0 || r.stderr != c.note {
			t.Errorf("%s: exit %d, %s", name, r.code, r.stderr)
		}
	}
}

// TestPackagedSettingsOfOthers checks which commands do not use the file of the package, and that .env in the working
// directory comes before it.
func TestPackagedSettingsOfOthers(t *testing.T) {
	t.Parallel()
	folder := packagedFolder(t, vars{"HTTP_PORT": "many"})
	for _, args := range [][]string{{"serve", "--tcp-port=few"}, {"demo", "--tcp-port=few"}} {
		r := runIn(t, folder, nil, args...)
		if r.code != 2 || len(r.problems()) != 1 || !strings.Contains(r.stderr, "TCP_PORT") {
			t.Errorf("%s: exit %d, %s", args, r.code, r.stderr)
		}
	}
	if r := runIn(t, folder, nil, "status", "--url", "http://127.0.0.1:1"); r.code != saysUnknown || r.stderr != "" {
		t.Errorf("status --url: exit %d, %s", r.code, r.stderr)
	}
	if r := runIn(t, folder, nil, "fleet"); r.code != 2 || !strings.Contains(r.stderr, `HTTP_PORT="many" (`+testbed.PackagedFile+`)`) {
		t.Errorf("fleet: exit %d, %s", r.code, r.stderr)
	}
	write(t, folder, ".env", "HTTP_PORT=6000\n")
	if r := runIn(t, folder, nil, "check-config"); r.code != 0 || r.stderr != "signal-sidecar: settings of .env\n" {
		t.Errorf("check-config with .env: exit %d, %s", r.code, r.stderr)
	}
}

// TestUnreadablePackagedSettings checks that a user who may not read the file is told so, and gets the defaults.
func TestUnreadablePackagedSettings(t *testing.T) {
	t.Parallel()
	folder := packagedFolder(t, vars{"POLLING_INTERVAL": "7"})
	testbed.Must(t, os.Chmod(filepath.Join(folder, filepath.Dir(testbed.PackagedFile)), 0))
	path, args := testbed.Binary(t), []string{"check-config"}
	if os.Geteuid() == 0 { // without CAP_DAC_OVERRIDE, root may not read it either
		path, args = testbed.Component(t, "setpriv"), []string{"--bounding-set=-dac_override,-dac_read_search",
			"--inh-caps=-dac_override,-dac_read_search", path, "check-config"}
	}
	r := runCommand(t, folder, nil, path, args...)
	if r.code != 0 || len(r.problems()) != 1 || !strings.Contains(r.stderr, testbed.PackagedFile+" cannot be read") ||
		!strings.Contains(strings.Join(strings.Fields(r.stdout), " "), "POLLING_INTERVAL 5 (default)") {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
}

// TestIgnoredPackagedSettings checks that a command about the node works when systemd ignores the settings file, as the
// service then does, and that check-config reports the file.
func TestIgnoredPackagedSettings(t *testing.T) {
	t.Parallel()
	folder := packagedFolder(t, nil)
	file := filepath.Join(folder, testbed.PackagedFile)
	status := filepath.Join(t.TempDir(), "shard-status")
	for name, c := range map[string]struct {
		spoil func()
		why   string
	}{
		"not UTF-8": {func() { testbed.Must(t, os.WriteFile(file, []byte("A=1\nLOG_LEVEL=\xff\n"), 0o600)) }, "line 2 is not UTF-8"},
		"NUL":       {func() { testbed.Must(t, os.WriteFile(file, []byte("LOG_LEVEL=\x00\n"), 0o600)) }, "line 1 holds a NUL byte"},
		"folder":    {func() { testbed.Must(t, os.Mkdir(file, 0o700)) }, "is a directory"},
	} {
		testbed.Must(t, os.RemoveAll(file))
		c.spoil()
		const ignored = "systemd ignores the whole file, so the service starts with the defaults"
		r := runIn(t, folder, nil, "check-config")
		if r.code != 2 || r.stdout != "" || len(r.problems()) != 1 ||
			!strings.Contains(r.stderr, c.why) || !strings.Contains(r.stderr, ignored) {
			t.Errorf("%s: check-config: exit %d, %s%s", name, r.code, r.stdout, r.stderr)
		}
		r = runIn(t, folder, vars{"STATUS_PATH": status}, "drain")
		if r.code != 0 || len(r.problems()) != 1 || !strings.Contains(r.stderr, c.why) ||
			!strings.Contains(r.stderr, ignored+", and this command uses them too") || testbed.Contents(status) != "drain\n" {
			t.Errorf("%s: drain: exit %d, %s%s", name, r.code, r.stdout, r.stderr)
		}
	}
}

// TestHelpWithoutSettings checks that help lists the settings only for commands that read them.
func TestHelpWithoutSettings(t *testing.T) {
	t.Parallel()
	for _, command := range commands {
		plain := run(t, nil, "help", command)
		if flag := run(t, nil, command, "--help"); plain.code != 0 || plain.stdout != flag.stdout || plain.stderr != "" {
			t.Errorf("help %s: exit %d, %s; --help prints something else", command, plain.code, plain.stderr)
		}
	}
	for _, command := range []string{"version", "help", "man", "completion", "simulate", "replay"} {
		if r := run(t, nil, "help", command); strings.Contains(r.stdout, "--http-port") {
			t.Errorf("help %s lists settings", command)
		}
	}
	if r := run(t, nil, "help"); !strings.Contains(r.stdout, "--http-port") || r.stdout != run(t, nil, "--help").stdout {
		t.Errorf("help: exit %d\n%s", r.code, r.stdout)
	}
	if r := run(t, nil, "help", "nonsense"); r.code != 2 || !strings.Contains(r.stderr, `"nonsense"`) {
		t.Errorf("help nonsense: exit %d, %s", r.code, r.stderr)
	}
	if a, b := run(t, nil, "--version"), run(t, nil, "version"); a.code != 0 || a.stdout != b.stdout {
		t.Errorf("--version: exit %d, %s", a.code, a.stdout)
	}
}

// TestFullDisk checks that a command whose output cannot be written fails and names the cause.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := startShard(t, nil)
	s.becomes(t, "up ready 100%")
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip(err)
	}
	file := write(t, t.TempDir(), "shard-status", "ready\n")
	for _, args := range [][]string{
		{"status", "--url", "http://" + s.HTTP}, {"status", "--json", "--url", "http://" + s.HTTP},
		{"status", "--watch", "--url", "http://" + s.HTTP},
		{"replay", "../../recording/testdata/recordings/jicofo_overloaded.jsonl"}, {"drain", "--status-path", file},
		{"check-config"}, {"version"}, {"--version"}, {"help"}, {"--help"}, {"fleet", "--help"}, {"man"},
		{"completion", "bash"},
	} {
		to, err := os.OpenFile(full, os.O_WRONLY, 0)
		testbed.Must(t, err)
		cmd := exec.CommandContext(t.Context(), testbed.Binary(t), args...)
		cmd.Env, cmd.Stdout = vars{}.Environ(), to
		var problem strings.Builder
		cmd.Stderr = &problem
		err = cmd.Run()
		_ = to.Close()
		if err == nil || strings.Count(problem.String(), "no space left on device") != 1 ||
			strings.Contains(problem.String(), "see --help") {
			t.Errorf("%s: %v, %q", args, err, problem.String())
		}
	}
}
