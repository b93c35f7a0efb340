package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// units creates a folder with the unit, after the edit, and if wanted with its drop-in.
func units(t *testing.T, edit *strings.Replacer, withDropIn bool) (unit string) {
	t.Helper()
	folder := t.TempDir()
	unit = write(t, filepath.Join(folder, unitFile), edit.Replace(contents(t, unitFile)))
	if withDropIn {
		write(t, filepath.Join(folder, unitFile+".d", dropInFile), contents(t, dropInFile))
	}
	return unit
}

func analyze(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.Command(testbed.Component(t, "systemd-analyze"), args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=")
	output, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(output)
}

// TestVerify makes systemd check the unit as strictly as it can, alone and with the drop-in. Broken units show that it
// reports errors.
func TestVerify(t *testing.T) {
	t.Parallel()
	path := "/usr/bin/signal-sidecar"
	for _, tt := range []struct {
		name   string
		edit   *strings.Replacer
		dropIn bool
		fails  string
	}{
		{"unit", strings.NewReplacer(path, testbed.Binary(t)), false, ""},
		{"with drop-in", strings.NewReplacer(path, testbed.Binary(t)), true, ""},
		{"misspelled", strings.NewReplacer(path, testbed.Binary(t), "WatchdogSec=", "WatchDogSec="), false, "WatchDogSec"},
		{"bad value", strings.NewReplacer(path, testbed.Binary(t), "PrivateTmp=yes", "PrivateTmp=perhaps"), false, "perhaps"},
		{"without binary", strings.NewReplacer(path, "/nonexistent"), false, "/nonexistent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, out := analyze(t, "verify", "--man=no", "--recursive-errors=one", units(t, tt.edit, tt.dropIn))
			if (code == 0) != (tt.fails == "") || !strings.Contains(out, tt.fails) || tt.fails == "" && out != "" {
				t.Errorf("exit %d:\n%s", code, out)
			}
		})
	}
}

// TestVerifySockets makes systemd check the socket units beside the service that they name.
func TestVerifySockets(t *testing.T) {
	t.Parallel()
	folder := filepath.Dir(units(t, strings.NewReplacer("/usr/bin/signal-sidecar", testbed.Binary(t)), false))
	for _, name := range socketFiles {
		path := write(t, filepath.Join(folder, name), contents(t, name))
		if code, out := analyze(t, "verify", "--man=no", "--recursive-errors=one", path); code != 0 || out != "" {
			t.Errorf("%s: exit %d:\n%s", name, code, out)
		}
	}
}

// TestVerifyManual makes systemd check each drop-in that docs/systemd.md shows, beside the unit that its comment names.
func TestVerifyManual(t *testing.T) {
	t.Parallel()
	dropIns := regexp.MustCompile("(?ms)^ *```ini\n *# systemctl edit (\\S+)\n(.*?)^ *```$").
		FindAllStringSubmatch(contents(t, "../../docs/systemd.md"), -1)
	if len(dropIns) != 2 {
		t.Fatalf("docs/systemd.md shows the drop-ins %q; this test knows two", dropIns)
	}
	for _, d := range dropIns {
		folder := filepath.Dir(units(t, strings.NewReplacer("/usr/bin/signal-sidecar", testbed.Binary(t)), false))
		name := d[1]
		if !strings.Contains(name, ".") {
			name += ".service"
		}
		path := filepath.Join(folder, name)
		if name != unitFile {
			write(t, path, contents(t, name))
		}
		for _, broken := range []string{"", "\nListenStream=no-such-address\nReadWritePaths=relative\n"} {
			write(t, filepath.Join(path+".d", "override.conf"), d[2]+broken)
			if _, out := analyze(t, "verify", "--man=no", path); (out != "") != (broken != "") {
				t.Errorf("%s with\n%s%s\n%s", name, d[2], broken, out)
			}
		}
	}
}

var score = regexp.MustCompile(`Overall exposure level for signal-sidecar\.service: ([0-9.]+) `)

// TestSecurity checks the score of the unit, and that the manual has the scores of the unit and of the drop-in.
func TestSecurity(t *testing.T) {
	t.Parallel()
	const threshold = "15" // 1.5
	manual := contents(t, "../../docs/systemd.md")
	for _, tt := range []struct {
		name, said string
		dropIn     bool
	}{
		{"unit", "scores `%`", false},
		{"with drop-in", "the score is `%`", true},
	} {
		code, out := analyze(t, "security", "--no-pager", "--offline=true", "--threshold="+threshold,
			units(t, strings.NewReplacer(), tt.dropIn))
		found := score.FindStringSubmatch(out)
		if found == nil {
			t.Fatalf("%s: exit %d:\n%s", tt.name, code, out)
		}
		if (code == 0) == tt.dropIn {
			t.Errorf("%s: exit %d with a threshold of %s, at %s", tt.name, code, threshold, found[1])
		}
		if sentence := strings.ReplaceAll(tt.said, "%", found[1]); !strings.Contains(manual, sentence) {
			t.Errorf("%s: docs/systemd.md does not say: %s", tt.name, sentence)
		}
	}
}
