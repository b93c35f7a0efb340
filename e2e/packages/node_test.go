package packages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// nodeConfig is the conffile of the Node package.
const nodeConfig = `HTTP_PORT=6000
HA_PORT=6060
LOG_LEVEL=info
POLLING_INTERVAL=5
JICOFO_URL=http://localhost:8888/about/health
PROSODY_URL=http://localhost:5280/http-bind
STATUS_PATH=/etc/jitsi/shard-status
`

// nodePackage is the layout of the Node package, with its maintainer scripts, including the parts that debhelper adds.
var nodePackage = map[string]string{
	"DEBIAN/control": `Package: signal-sidecar
Version: 0.0.1-1
Section: net
Priority: optional
Architecture: all
Maintainer: Jitsi Team <dev@jitsi.org>
Depends: nodejs
Description: signal-sidecar collects health data from Jitsi signal nodes
`,
	"DEBIAN/conffiles": "/etc/init/signal-sidecar.conf\n/etc/jitsi/shard-status\n/etc/jitsi/signal-sidecar/config\n",
	"DEBIAN/postinst": `#!/bin/sh
set -e
if [ "$1" = configure ]; then
	getent group jitsi >/dev/null || groupadd jitsi
	getent passwd signal-sidecar >/dev/null ||
		useradd -r -g jitsi --shell /bin/bash --create-home -d /usr/share/signal-sidecar signal-sidecar
	chown -R signal-sidecar:jitsi /usr/share/signal-sidecar
	chown root:jitsi /etc/jitsi/signal-sidecar
	chmod 750 /etc/jitsi/signal-sidecar
	deb-systemd-helper unmask signal-sidecar.service >/dev/null || true
	if deb-systemd-helper --quiet was-enabled signal-sidecar.service; then
		deb-systemd-helper enable signal-sidecar.service >/dev/null || true
	else
		deb-systemd-helper update-state signal-sidecar.service >/dev/null || true
	fi
fi
`,
	"DEBIAN/postrm": `#!/bin/sh
set -e
if [ "$1" = purge ]; then
	deb-systemd-helper purge signal-sidecar.service >/dev/null || true
fi
`,
	"etc/init/signal-sidecar.conf":                           "exec node /usr/share/signal-sidecar/app.js\n",
	"etc/jitsi/shard-status":                                 "ready\n",
	"etc/jitsi/signal-sidecar/config":                        nodeConfig,
	"usr/share/signal-sidecar/app.js":                        "// the program\n",
	"usr/share/signal-sidecar/node_modules/express/index.js": "// a library\n",
	"lib/systemd/system/signal-sidecar.service": `[Service]
EnvironmentFile=/etc/jitsi/signal-sidecar/config
ExecStart=/usr/bin/node /usr/share/signal-sidecar/app.js
User=signal-sidecar
Group=jitsi
[Install]
WantedBy=multi-user.target
`,
}

// buildNodePackage builds a package with the layout of the Node package.
func buildNodePackage(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	root, deb := filepath.Join(folder, "root"), filepath.Join(folder, "node.deb")
	for name, content := range nodePackage {
		path, mode := filepath.Join(root, name), os.FileMode(0o644)
		if strings.HasPrefix(content, "#!") {
			mode = 0o755
		}
		testbed.Must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		testbed.Must(t, os.WriteFile(path, []byte(content), mode))
	}
	output(t, "dpkg-deb", "--build", "--root-owner-group", root, deb)
	return deb
}

// nodeMachine returns a machine with the Node package.
func nodeMachine(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t)
	m.install(buildNodePackage(t))
	m.expectFile(enabled, "Lrwxrwxrwx", "root:root")
	return m
}

// TestUpgradeFromNode upgrades a shard whose settings were changed line by line, and whose status is ready.
func TestUpgradeFromNode(t *testing.T) {
	m := nodeMachine(t)
	m.must("sed -i 's/^POLLING_INTERVAL=.*/POLLING_INTERVAL=10/' %s && printf 'CENSUS_POLL=true\\nCENSUS_HOST=meet.example.com\\n' >>%[1]s", configPath)
	settings, user := m.read(configPath), m.owner("/usr/share/signal-sidecar")
	out := m.install(one(t, release(t), "*_amd64.deb"))
	if strings.Contains(out, "downgrading") || strings.Contains(out, "will not start") {
		t.Errorf("dpkg: %s", out)
	}
	m.expectGone("/usr/share/signal-sidecar")
	if got := m.read(configPath); got != settings {
		t.Errorf("the settings became:\n%s", got)
	}
	m.expectStatus("ready\n")
	m.expectFile(statusPath, "-rw-r--r--", "signal-sidecar:jitsi")
	m.expectFile(filepath.Dir(configPath), "drwxr-x---", "root:jitsi")
	m.expectFile(enabled, "Lrwxrwxrwx", "root:root")
	if m.owner(statusPath) != user {
		t.Error("the user is another one")
	}
	if unit := m.read(unitPath); strings.Contains(unit, "node") && !strings.Contains(unit, "/usr/bin/signal-sidecar") {
		t.Errorf("the unit is the old one:\n%s", unit)
	}
	inForce, notices := m.checkConfig()
	if inForce["POLLING_INTERVAL"] != "10 ("+configPath+")" || inForce["CENSUS_POLL"] != "true ("+configPath+")" ||
		len(notices) > 0 {
		t.Errorf("in force: %v, notices %q", inForce, notices)
	}

	m.must("dpkg --purge signal-sidecar")
	m.expectGone("/etc/jitsi", "/etc/init/signal-sidecar.conf", enabled)
}

// TestUpgradeFromUnchangedNode checks that the packaged settings replace unchanged settings of the Node package.
func TestUpgradeFromUnchangedNode(t *testing.T) {
	m := nodeMachine(t)
	m.install(one(t, release(t), "*_amd64.deb"))
	if got := m.read(configPath); got != contents(t, "../../deploy/package/config") {
		t.Errorf("the settings are:\n%s", got)
	}
	m.expectGone(configPath+".dpkg-new", configPath+".dpkg-dist")
}

// TestUpgradeKeepsDisabled checks that an upgrade keeps a disabled service, and a changed owner and mode of the status
// file.
func TestUpgradeKeepsDisabled(t *testing.T) {
	m := nodeMachine(t)
	testbed.Must(t, os.Remove(m.path(enabled)))
	m.must("useradd deployer && chown deployer:jitsi %s && chmod 664 %[1]s && echo maint >%[1]s", statusPath)
	m.install(one(t, release(t), "*_amd64.deb"))
	m.expectGone(enabled)
	m.expectFile(statusPath, "-rw-rw-r--", "deployer:jitsi")
	m.expectStatus("maint\n")
}

// TestUpgradeWithBadSettings upgrades with a setting that the Node program accepted and this one refuses.
func TestUpgradeWithBadSettings(t *testing.T) {
	m := nodeMachine(t)
	m.must("sed -i 's/^POLLING_INTERVAL=.*/POLLING_INTERVAL=0/' %s", configPath)
	out := m.install(one(t, release(t), "*_amd64.deb"))
	for _, want := range []string{`POLLING_INTERVAL="0" (` + configPath + `)`, "will not start before " + configPath +
		" is corrected"} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing of %q in: %s", want, out)
		}
	}
}
