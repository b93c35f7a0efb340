package packages

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestRPMFields checks the fields of the RPM packages.
func TestRPMFields(t *testing.T) {
	rpm, dist := testbed.Component(t, "rpm"), release(t)
	for _, arch := range []string{"x86_64", "aarch64"} {
		path := one(t, dist, "*."+arch+".rpm")
		got := output(t, rpm, "-qp", "--queryformat", "%{NAME} %{EPOCH}:%{VERSION}-%{RELEASE} %{ARCH} %{BUILDHOST}", path)
		if want := "signal-sidecar 1:" + packageVersion(t, dist) + "-1 " + arch + " localhost"; got != want {
			t.Errorf("the package is %q, not %q", got, want)
		}
		if config := output(t, rpm, "-qp", "--configfiles", path); config != configPath+"\n" {
			t.Errorf("%s: configuration files %q", arch, config)
		}
		output(t, rpm, "--checksig", "--nosignature", path)
	}
}

// TestRPM installs, upgrades and erases the RPM package on a machine that runs systemd. The machine is a Debian, so
// dependencies are not checked.
func TestRPM(t *testing.T) {
	m := newMachine(t).boot()
	m.take(one(t, release(t), "*.x86_64.rpm"), "/tmp/package.rpm")
	options := "--nodeps"
	if _, err := m.run("rpm --force-debian --version"); err == nil {
		options += " --force-debian" // Debian 12 requires the option; Debian 13 does not have it
	}
	rpm := func(args string) {
		t.Helper()
		m.must("rpm %s %s", options, args)
	}
	service := func() string { return m.must("systemctl show --property=MainPID --value signal-sidecar") }
	// Fedora has this preset.
	m.must("mkdir -p /etc/systemd/system-preset && echo 'disable *' >/etc/systemd/system-preset/99-default.preset")
	rpm("--install /tmp/package.rpm")
	m.expectFile("/usr/bin/signal-sidecar", "-rwxr-xr-x", "root:root")
	for _, unit := range []string{".service", "-agent.socket", "-http.socket"} {
		m.expectFile("/usr/lib/systemd/system/signal-sidecar"+unit, "-rw-r--r--", "root:root")
	}
	m.expectFile("/usr/share/zsh/site-functions/_signal-sidecar", "-rw-r--r--", "root:root")
	m.expectFile("/usr/share/doc/signal-sidecar/THIRD_PARTY_LICENSES", "-rw-r--r--", "root:root")
	m.expectFile(filepath.Dir(configPath), "drwxr-x---", "root:jitsi")
	m.expectFile(statusPath, "-rw-r--r--", "signal-sidecar:jitsi")
	m.expectStatus("drain\n")
	m.checkConfig()
	m.expectGone(enabled)
	m.must("systemctl enable --now signal-sidecar 2>/dev/null")
	first := service()

	settings := lineInFile(m.read(configPath), "LOG_LEVEL=", "LOG_LEVEL=warn")
	m.write(configPath, settings)
	m.write(statusPath, "ready\n")
	rpm("--upgrade --force /tmp/package.rpm")
	m.expectStatus("ready\n")
	if m.read(configPath) != settings {
		t.Error("the settings were replaced")
	}
	if again := service(); again == first || again == "0\n" {
		t.Errorf("upgraded, the process is %s, and was %s", again, first)
	}

	rpm("--erase signal-sidecar")
	if out, err := m.run("systemctl is-active signal-sidecar"); err == nil {
		t.Errorf("erased, the service is %s", out)
	}
	m.expectGone("/usr/bin/signal-sidecar", configPath, enabled)
	if saved := m.read(configPath + ".rpmsave"); !strings.Contains(saved, "LOG_LEVEL=warn") {
		t.Error("the changed settings were not saved")
	}
	m.expectStatus("ready\n")
}
