package packages

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// bound limits every wait of a test.
const bound = 60 * time.Second

// boot starts systemd on the machine, in namespaces of its own, including the network's. Later commands run in these
// namespaces.
func (m *machine) boot() *machine {
	m.t.Helper()
	testbed.Component(m.t, "ip")
	m.systemd = testbed.BootSystemd(m.t, bound, []string{"--net"}, "bash", "testdata/boot.sh", m.root)
	return m
}

// TestService checks that systemd starts the service at the installation, restarts it at an upgrade, and stops it at
// the removal.
func TestService(t *testing.T) {
	m := newMachine(t).boot()
	deb := one(t, release(t), "*_amd64.deb")
	running := func(when string) (pid string) {
		t.Helper()
		out, err := m.run("systemctl show --property=ActiveState,MainPID,UnitFileState,User --value signal-sidecar")
		words := strings.Fields(out)
		if err != nil || len(words) != 4 || !slices.Contains(words, "active") || !slices.Contains(words, "enabled") {
			t.Fatalf("%s, systemd says %q, %v\n%s", when, out, err, m.must("journalctl --no-pager --unit=signal-sidecar"))
		}
		// There is no jicofo, so the node is down: exit 1.
		if out, err := m.run("signal-sidecar status"); err == nil || !strings.Contains(out, "down") {
			t.Errorf("%s, the service says %s", when, out)
		}
		return strings.TrimSpace(m.must("systemctl show --property=MainPID --value signal-sidecar"))
	}
	m.install(deb)
	first := running("installed")
	m.install(nextVersion(t, deb))
	if second := running("upgraded"); second == first {
		t.Errorf("upgraded, the process is still %s", first)
	}
	if unread := m.must("systemctl show --property=NeedDaemonReload --value signal-sidecar"); unread != "no\n" {
		t.Errorf("upgraded, systemd has not read the unit: %s", unread)
	}
	m.must("dpkg --remove signal-sidecar")
	if out, err := m.run("systemctl is-active signal-sidecar"); err == nil {
		t.Errorf("removed, the service is %s", out)
	}
	if state := m.must("systemctl show --property=LoadState --value signal-sidecar"); state != "not-found\n" {
		t.Errorf("removed, the unit is %s", state)
	}
	m.install(deb)
	running("installed again")
	m.must("systemctl disable --now signal-sidecar")
	m.install(deb)
	if out, _ := m.run("systemctl is-active signal-sidecar"); out != "inactive\n" {
		t.Errorf("disabled and upgraded, the service is %s", out)
	}
	m.must("dpkg --purge signal-sidecar")
}
