package packages

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

const (
	configPath = "/etc/jitsi/signal-sidecar/config"
	statusPath = "/etc/jitsi/shard-status"
	unitPath   = "/lib/systemd/system/signal-sidecar.service"
	enabled    = "/etc/systemd/system/multi-user.target.wants/signal-sidecar.service"
)

func execShell(line string) *exec.Cmd { return exec.Command("bash", "-c", "set -o pipefail; "+line) }

// machine is a Debian in a folder.
type machine struct {
	t       *testing.T
	root    string
	systemd *testbed.Systemd // set by boot
}

// newMachine copies the Debian in the folder that E2E_SCRATCH_ROOT names.
func newMachine(t *testing.T) *machine {
	t.Helper()
	t.Parallel()
	base := os.Getenv("E2E_SCRATCH_ROOT")
	if _, err := os.Stat(filepath.Join(base, "usr/bin/dpkg")); base == "" || err != nil {
		testbed.Missing(t, "a Debian at E2E_SCRATCH_ROOT="+base+" (make test-packages makes it)")
	}
	if os.Geteuid() != 0 {
		testbed.Missing(t, "root, who alone can change into another Debian")
	}
	root := filepath.Join(t.TempDir(), "root")
	output(t, "cp", "--archive", "--reflink=auto", base, root)
	return &machine{t: t, root: root}
}

func (m *machine) path(path string) string { return filepath.Join(m.root, path) }

func (m *machine) command(line string) *exec.Cmd {
	into := []string{"chroot", m.root}
	if m.systemd != nil {
		into = m.systemd.Enter()
	}
	return exec.Command(into[0], append(into[1:], "/usr/bin/env", "-i", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", line)...)
}

// run runs a shell command on the machine. It returns the output, and an error if the command failed.
func (m *machine) run(format string, args ...any) (string, error) {
	out, err := m.command(fmt.Sprintf(format, args...)).CombinedOutput()
	return string(out), err
}

// must runs a shell command that must succeed.
func (m *machine) must(format string, args ...any) string {
	m.t.Helper()
	out, err := m.run(format, args...)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", fmt.Sprintf(format, args...), err, out)
	}
	return out
}

// install installs a package with dpkg in the same way as apt under Ansible: settings that the administrator changed
// stay.
func (m *machine) install(deb string) string {
	m.t.Helper()
	m.take(deb, "/tmp/package.deb")
	return m.must("dpkg --force-confdef --force-confold --force-unsafe-io --force-depends --install /tmp/package.deb 2>&1")
}

// take copies a file onto the machine.
func (m *machine) take(from, to string) { m.write(to, contents(m.t, from)) }

func (m *machine) write(path, content string) {
	m.t.Helper()
	testbed.Must(m.t, os.MkdirAll(filepath.Dir(m.path(path)), 0o755))
	testbed.Must(m.t, os.WriteFile(m.path(path), []byte(content), 0o644))
}

func (m *machine) read(path string) string {
	m.t.Helper()
	return contents(m.t, m.path(path))
}

func (m *machine) exists(path string) bool {
	_, err := os.Lstat(m.path(path))
	return err == nil
}

// expectFile checks type and mode, in the notation of ls -l, and owner and group.
func (m *machine) expectFile(path, mode, owner string) {
	m.t.Helper()
	info, err := os.Lstat(m.path(path))
	if err != nil {
		m.t.Error(err)
		return
	}
	if got := info.Mode().String(); got != mode {
		m.t.Errorf("%s has mode %s, not %s", path, got, mode)
	}
	if got := strings.TrimSpace(m.must("stat -c %%U:%%G %s", path)); got != owner {
		m.t.Errorf("%s belongs to %s, not to %s", path, got, owner)
	}
}

// expectGone checks that the paths do not exist.
func (m *machine) expectGone(paths ...string) {
	m.t.Helper()
	for _, path := range paths {
		if m.exists(path) {
			m.t.Errorf("%s is still there", path)
		}
	}
}

// expectStatus checks the contents of the status file.
func (m *machine) expectStatus(want string) {
	m.t.Helper()
	if got := m.read(statusPath); got != want {
		m.t.Errorf("the status file says %q, not %q", got, want)
	}
}

// checkConfig returns the output of the installed binary's check-config for the packaged settings: values by name, and
// notices.
func (m *machine) checkConfig() (settings map[string]string, notices []string) {
	m.t.Helper()
	settings = map[string]string{}
	for line := range strings.Lines(m.must("signal-sidecar check-config --env-file " + configPath)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "notice:" {
			notices = append(notices, value)
			continue
		}
		settings[name] = strings.Join(strings.Fields(value), " ")
	}
	return settings, notices
}

// leftovers lists what an installation added to the machine, without what dpkg and the user database keep.
func (m *machine) leftovers(base string) []string {
	var left []string
	testbed.Must(m.t, filepath.WalkDir(m.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative := strings.TrimPrefix(path, m.root)
		for _, kept := range []string{"/var/lib/dpkg", "/var/log", "/tmp", "/run", "/etc/passwd", "/etc/group", "/etc/shadow",
			"/etc/gshadow", "/etc/subuid", "/etc/subgid", "/var/cache", "/etc/.pwd.lock"} {
			if strings.HasPrefix(relative, kept) {
				return nil
			}
		}
		if _, err := os.Lstat(filepath.Join(base, relative)); os.IsNotExist(err) {
			left = append(left, relative)
		}
		return nil
	}))
	return left
}

// owner returns a file's numeric owner.
func (m *machine) owner(path string) uint32 {
	info, err := os.Lstat(m.path(path))
	testbed.Must(m.t, err)
	return info.Sys().(*syscall.Stat_t).Uid
}
