package packages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestInstallPage follows docs/install.md: it installs the package with apt, upgrades from the Node.js package with
// changed and with unchanged settings, and goes back.
func TestInstallPage(t *testing.T) {
	m := newMachine(t).boot()
	const file, version = "signal-sidecar_1.0.0-1_amd64.deb", "1:1.0.0-1"
	dist := release(t)
	deb := repacked(t, one(t, dist, "*_amd64.deb"), version, file, "")
	m.take(deb, "/root/"+file)
	m.serveRepository(map[string]string{"node.deb": buildNodePackage(t), "nodejs.deb": emptyPackage(t, "nodejs")})
	m.must("apt-get install -y /root/" + file) // only for the page
	p := m.openPage("install.md")
	m.must("apt-get purge -y signal-sidecar")

	p.follow("apt install ./", "")
	p.expectInstalled(version)
	m.expectStatus("drain\n")
	p.expect("sudo signal-sidecar ready", statusPath+": ready (was drain)")
	m.expectStatus("ready\n")
	p.expect("sudo signal-sidecar check-config", "POLLING_INTERVAL")
	m.must("apt-get purge -y signal-sidecar")

	t.Log("upgrade with changed settings, and go back")
	m.must("apt-get install -y signal-sidecar=0.0.1-1")
	settings := lineInFile(m.read(configPath), "POLLING_INTERVAL=", "POLLING_INTERVAL=10")
	m.write(configPath, settings)
	p.follow("apt -o Dpkg::Options::=--force-confold install ./", "")
	p.expectInstalled(version)
	m.expectStatus("ready\n")
	p.follow("apt -o Dpkg::Options::=--force-confold install --allow-downgrades", "y\n")
	p.expectVersion("0.0.1-1")
	if got := m.read(configPath); got != settings {
		t.Errorf("the settings became:\n%s", got)
	}
	m.expectStatus("ready\n")

	t.Log("apt upgrade, which asks about changed settings, and then without a change")
	m.serveRepository(map[string]string{"node.deb": buildNodePackage(t), file: deb})
	if out, err := m.run("apt upgrade -y"); err == nil || !strings.Contains(out, "conffile prompt") {
		t.Errorf("apt upgrade without a terminal: %v\n%s", err, out)
	}
	p.follow("dpkg --force-confold --configure -a", "")
	p.expectInstalled(version)
	if got := m.read(configPath); got != settings {
		t.Errorf("the settings became:\n%s", got)
	}
	m.must("apt-get purge -y signal-sidecar && apt-get install -y signal-sidecar=0.0.1-1 && apt upgrade -y")
	p.expectInstalled(version)
	if got := m.read(configPath); got != contents(t, "../../deploy/package/config") {
		t.Errorf("the settings became:\n%s", got)
	}
	m.expectGone("/usr/share/signal-sidecar/app.js")

	t.Log("the files of the release")
	for _, name := range files(t, dist) {
		m.take(filepath.Join(dist, name), "/root/"+name)
	}
	testbed.Must(t, os.Remove(m.path("/root/"+filepath.Base(one(t, dist, "*_arm64.deb"))))) // not all were downloaded
	p.expect("sha256sum --check --ignore-missing", ": OK")
	if out := output(t, "sh", "-c", "cd "+m.path("/usr/bin")+" && "+p.next("go version -m signal-sidecar")); !strings.Contains(out,
		"vcs.revision=") {
		t.Errorf("go version: %s", out)
	}
	p.close(map[string]string{
		"dnf install":                           "dnf is not installed here; TestRPM installs the package with rpm",
		"systemctl enable --now signal-sidecar": "TestRPM runs it",
		"cosign":                                "MISSING: cosign, and the signature of a release",
		"gh ":                                   "MISSING: gh, and the provenance of a release",
		"docker exec":                           "MISSING: a Docker Engine; the tests of the image run the program in it",
		"nomad alloc":                           "MISSING: Nomad",
		"git checkout":                          "TestReproducible builds the commit of the first release again",
		"make release":                          "TestReproducible builds the commit of the first release again",
	})
}

// expectInstalled checks that dpkg has finished the installation of this version, and that the service runs.
func (m *machine) expectInstalled(version string) {
	m.t.Helper()
	m.expectVersion(version)
	if out, err := m.run("systemctl is-active signal-sidecar"); err != nil {
		m.t.Errorf("the service is %s", out)
	}
}

func (m *machine) expectVersion(version string) {
	m.t.Helper()
	if got := m.must("dpkg-query -W -f '${db:Status-Status} ${Version}' signal-sidecar"); got != "installed "+version {
		m.t.Errorf("dpkg has %q, not version %s", got, version)
	}
}

// emptyPackage builds a package without files.
func emptyPackage(t *testing.T, name string) string {
	t.Helper()
	folder := t.TempDir()
	testbed.Must(t, os.MkdirAll(filepath.Join(folder, "root/DEBIAN"), 0o755))
	testbed.Must(t, os.WriteFile(filepath.Join(folder, "root/DEBIAN/control"), []byte("Package: "+name+
		"\nVersion: 1\nArchitecture: all\nMaintainer: Tests <tests@example.com>\nDescription: stand-in\n"), 0o644))
	output(t, "dpkg-deb", "--root-owner-group", "--build", filepath.Join(folder, "root"), filepath.Join(folder, name+".deb"))
	return filepath.Join(folder, name+".deb")
}
