package packages

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestInstall installs the package on a machine that has never had it.
func TestInstall(t *testing.T) {
	m := newMachine(t)
	m.install(one(t, release(t), "*_amd64.deb"))
	for path, mode := range map[string]string{
		"/usr/bin/signal-sidecar": "-rwxr-xr-x",
		unitPath:                  "-rw-r--r--",
		"/lib/systemd/system/signal-sidecar-agent.socket": "-rw-r--r--",
		"/lib/systemd/system/signal-sidecar-http.socket":  "-rw-r--r--",
		configPath: "-rw-r--r--",
		"/usr/share/man/man8/signal-sidecar.8.gz":                          "-rw-r--r--",
		"/usr/share/bash-completion/completions/signal-sidecar":            "-rw-r--r--",
		"/usr/share/zsh/vendor-completions/_signal-sidecar":                "-rw-r--r--",
		"/usr/share/fish/vendor_completions.d/signal-sidecar.fish":         "-rw-r--r--",
		"/usr/share/doc/signal-sidecar/copyright":                          "-rw-r--r--",
		"/usr/share/doc/signal-sidecar/THIRD_PARTY_LICENSES":               "-rw-r--r--",
		"/usr/share/doc/signal-sidecar/changelog.gz":                       "-rw-r--r--",
		"/usr/share/doc/signal-sidecar/changelog.Debian.gz":                "-rw-r--r--",
		"/usr/share/doc/signal-sidecar/examples/systemd/dump-scripts.conf": "-rw-r--r--",
		enabled:      "Lrwxrwxrwx",
		"/etc/jitsi": "drwxr-xr-x",
		"/usr/share/lintian/overrides/signal-sidecar": "-rw-r--r--",
	} {
		m.expectFile(path, mode, "root:root")
	}
	m.expectFile(filepath.Dir(configPath), "drwxr-x---", "root:jitsi")
	m.expectFile(statusPath, "-rw-r--r--", "signal-sidecar:jitsi")
	m.expectStatus("drain\n")
	if user := m.must("getent passwd signal-sidecar"); !strings.HasSuffix(user, ":/nonexistent:/usr/sbin/nologin\n") {
		t.Errorf("the user is %s", user)
	}
	if id := m.must("id -gn signal-sidecar; id -u signal-sidecar"); !strings.HasPrefix(id, "jitsi\n") ||
		len(id) > len("jitsi\n999\n") {
		t.Errorf("group and number: %q", id)
	}
	if version := m.must("signal-sidecar version"); !strings.HasPrefix(version, "signal-sidecar v") {
		t.Errorf("version: %s", version)
	}
	if page := m.must("man --pager=cat signal-sidecar"); !strings.HasPrefix(page, "SIGNAL-SIDECAR(8)") {
		t.Errorf("man: %s", page)
	}
	m.must("setpriv --reuid signal-sidecar --regid jitsi --clear-groups signal-sidecar check-config --env-file %s",
		configPath)
	if folder := m.must("ls -A /etc/jitsi"); folder != "shard-status\nsignal-sidecar\n" {
		t.Errorf("/etc/jitsi holds %q", folder)
	}
	if out := m.must("dpkg --verify signal-sidecar"); out != "" {
		t.Errorf("dpkg --verify: %s", out)
	}
}

var link = regexp.MustCompile(`\]\(([^)#]+)`)

// TestDocumentation checks that the links of the installed documentation lead to installed files, and that it does not
// name files of the repository.
func TestDocumentation(t *testing.T) {
	m := newMachine(t)
	m.install(one(t, release(t), "*_amd64.deb"))
	const folder = "/usr/share/doc/signal-sidecar/docs"
	pages := strings.Fields(m.must("ls %s/*.md", folder))
	if !slices.Contains(pages, folder+"/runbook.md") {
		t.Fatalf("the documentation is %q", pages)
	}
	for _, page := range pages {
		text := m.read(page)
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			target := found[1]
			switch {
			case strings.Contains(target, "://"):
				continue
			case !filepath.IsAbs(target):
				target = filepath.Join(folder, target)
			}
			if out, err := m.run("test -e '%s'", target); err != nil {
				t.Errorf("%s: %s is not installed %s", page, found[1], out)
			}
		}
		if name := regexp.MustCompile("(^|[ `])deploy/.*").FindString(text); name != "" {
			t.Errorf("%s names %s", page, name)
		}
	}
	for _, left := range []string{"compose", "grafana/provisioning"} {
		m.expectGone("/usr/share/doc/signal-sidecar/examples/" + left)
	}
}

// TestShippedSettings checks that the packaged settings are the defaults.
func TestShippedSettings(t *testing.T) {
	m := newMachine(t)
	m.install(one(t, release(t), "*_amd64.deb"))
	shipped, notices := m.checkConfig()
	if len(notices) > 0 {
		t.Errorf("notices: %q", notices)
	}
	m.write("/tmp/empty", "")
	for line := range strings.Lines(m.must("signal-sidecar check-config --env-file /tmp/empty")) {
		words := strings.Fields(line)
		want := strings.TrimSpace(strings.TrimSuffix(strings.Join(words[1:], " "), "(default)"))
		if got := shipped[words[0]]; words[0] != "ENV_FILE" && got != strings.TrimSpace(want+" (default)") &&
			got != want+" ("+configPath+")" {
			t.Errorf("%s is %q; the default is %q", words[0], got, want)
		}
	}
}

// fleetSettings are the lines that Jitsi's configuration management writes to the file.
var fleetSettings = []string{
	"CENSUS_POLL=true", "CENSUS_REPORTS=true", "CENSUS_HOST=meet.example.com", "PARTICIPANT_MAX=4000",
	"WEIGHT_PARTICIPANTS=true",
	"PROSODY_DUMP=/usr/local/bin/dump-prosody.sh", "CONSUL_STATUS=true", "CONSUL_REPORTS=true",
	"CONSUL_STATUS_KEY=shard-states/prod/shard-17", "CONSUL_REPORT_KEY=signal-report/prod/shard-17",
}

// TestFleetSettings replaces lines like Ansible's lineinfile, in the packaged file and in the Node package's.
func TestFleetSettings(t *testing.T) {
	m := newMachine(t)
	m.install(one(t, release(t), "*_amd64.deb"))
	for _, origin := range []string{m.read(configPath), nodeConfig} {
		content := origin
		for _, line := range fleetSettings {
			key, _, _ := strings.Cut(line, "=")
			if origin != nodeConfig && strings.Count("\n"+content, "\n"+key+"=") != 1 {
				t.Errorf("the packaged file has not one line %s=", key)
			}
			content = lineInFile(content, key+"=", line)
		}
		if origin != nodeConfig && strings.Count(content, "\n") != strings.Count(origin, "\n") {
			t.Error("lines were added to the packaged file")
		}
		m.write(configPath, content)
		inForce, _ := m.checkConfig()
		for _, line := range fleetSettings {
			key, value, _ := strings.Cut(line, "=")
			if want := value + " (" + configPath + ")"; inForce[key] != want {
				t.Errorf("%s is %q, not %q", key, inForce[key], want)
			}
		}
	}
}

// lineInFile replaces the last line with this beginning, or appends the line if there is none.
func lineInFile(content, beginning, line string) string {
	lines := strings.Split(strings.TrimSuffix(content, "\n"), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.HasPrefix(lines[i], beginning) {
			lines[i] = line
			return strings.Join(lines, "\n") + "\n"
		}
	}
	return strings.Join(append(lines, line), "\n") + "\n"
}

// TestLifeOfAPackage upgrades the package to the next version, removes it, installs it again, and purges it.
func TestLifeOfAPackage(t *testing.T) {
	m := newMachine(t)
	deb := one(t, release(t), "*_amd64.deb")
	m.install(deb)
	settings := lineInFile(m.read(configPath), "LOG_LEVEL=", "LOG_LEVEL=warn")
	m.write(configPath, settings)
	m.write(statusPath, "ready\n")
	kept := func(when string) {
		t.Helper()
		if got := m.read(configPath); got != settings {
			t.Errorf("%s, the settings are:\n%s", when, got)
		}
		m.expectStatus("ready\n")
		m.expectFile(statusPath, "-rw-r--r--", "signal-sidecar:jitsi")
	}
	m.install(deb)
	kept("installed again")
	m.install(nextVersion(t, deb))
	kept("upgraded")
	if got := m.must("dpkg-query -W -f '${Version}' signal-sidecar"); got != "1:99.0.0-1" {
		t.Errorf("the version is %s", got)
	}
	m.must("dpkg --remove signal-sidecar")
	kept("removed")
	m.expectGone("/usr/bin/signal-sidecar", unitPath)
	m.install(deb)
	kept("installed after its removal")
	m.expectFile(enabled, "Lrwxrwxrwx", "root:root")
	m.must("mkdir /var/lib/signal-sidecar && touch /var/lib/signal-sidecar/recording.jsonl")
	m.must("dpkg --purge signal-sidecar")
	if left := m.leftovers(os.Getenv("E2E_SCRATCH_ROOT")); len(left) > 0 {
		t.Errorf("purged, and still there: %q", left)
	}
	m.must("id signal-sidecar") // the user stays, as is usual in Debian, so that its number is not given to another one
	m.install(deb)
	m.expectStatus("drain\n")
	m.must("dpkg --purge signal-sidecar && dpkg --purge signal-sidecar") // the second purge finds nothing
}

// nextVersion returns the package with a higher version and other packaged settings.
func nextVersion(t *testing.T, deb string) string {
	t.Helper()
	return repacked(t, deb, "1:99.0.0-1", "next.deb", "NEW_SETTING=\n")
}

// TestPurgeKeepsNeighbours checks that a file of jicofo in /etc/jitsi survives a purge.
func TestPurgeKeepsNeighbours(t *testing.T) {
	m := newMachine(t)
	m.write("/etc/jitsi/jicofo/jicofo.conf", "jicofo {}\n")
	m.install(one(t, release(t), "*_amd64.deb"))
	m.must("dpkg --purge signal-sidecar")
	if folder := m.must("ls -A /etc/jitsi"); folder != "jicofo\n" {
		t.Errorf("/etc/jitsi holds %q", folder)
	}
}

// TestStatusFileOfOthers checks that the package keeps a link in place of the status file, and an owner set by
// dpkg-statoverride.
func TestStatusFileOfOthers(t *testing.T) {
	m := newMachine(t)
	testbed.Must(t, os.MkdirAll(m.path("/etc/jitsi"), 0o755))
	testbed.Must(t, os.Symlink("/srv/status", m.path(statusPath)))
	m.must("mkdir -p %s && groupadd ops && dpkg-statoverride --update --add root ops 0751 %[1]s", filepath.Dir(configPath))
	m.install(one(t, release(t), "*_amd64.deb"))
	if target, err := os.Readlink(m.path(statusPath)); target != "/srv/status" {
		t.Errorf("the link became %q, %v", target, err)
	}
	m.expectFile(filepath.Dir(configPath), "drwxr-x--x", "root:ops")
}
