package packages

import (
	"regexp"
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

// TestRunbookCommands runs the commands of the installed runbook as they are printed, on a shard whose settings differ
// from the defaults.
func TestRunbookCommands(t *testing.T) {
	m := newMachine(t).boot()
	m.install(one(t, release(t), "*_amd64.deb"))
	settings := m.read(configPath)
	for _, line := range []string{"HTTP_PORT=6010", "POLLING_INTERVAL=3", "STATUS_PATH=/etc/jitsi/word",
		"PROSODY_DUMP=/usr/local/bin/dump-prosody.sh"} {
		name, _, _ := strings.Cut(line, "=")
		settings = lineInFile(settings, name+"=", line)
	}
	m.write(configPath, settings)
	m.must("mv /etc/jitsi/shard-status /etc/jitsi/word && systemctl restart signal-sidecar")
	m.take("../../recording/testdata/recordings/jicofo_overloaded.jsonl", "/root/recording.jsonl")

	runbook := m.read("/usr/share/doc/signal-sidecar/docs/runbook.md")
	commands := regexp.MustCompile(`(?m)^signal-sidecar (\S+)[^#\n]*`).FindAllStringSubmatch(runbook, -1)
	if len(commands) < 6 {
		t.Fatalf("the runbook has only %q", commands)
	}
	for _, command := range commands {
		out, err := m.run("cd /root && %s", command[0])
		if command[1] != "replay" && !strings.Contains(out, "signal-sidecar: settings of "+configPath+"\n") {
			t.Errorf("%s does not name the file: %s", command[0], out)
		}
		switch command[1] {
		case "status": // there is no jicofo
			if err == nil || !strings.Contains(out, "down") {
				t.Errorf("%s: %v, %s", command[0], err, out)
			}
		case "fleet": // there is no Consul
			if !strings.Contains(out, "localhost:8500") {
				t.Errorf("%s: %v, %s", command[0], err, out)
			}
		case "drain", "maint", "ready":
			if word := m.read("/etc/jitsi/word"); err != nil || word != command[1]+"\n" {
				t.Errorf("%s: %v, the file has %q, %s", command[0], err, word, out)
			}
		default:
			if err != nil {
				t.Errorf("%s: %v, %s", command[0], err, out)
			}
		}
	}
	if shown := strings.Join(strings.Fields(m.must("signal-sidecar check-config")), " "); !strings.Contains(shown,
		"POLLING_INTERVAL 3 ("+configPath+")") {
		t.Errorf("check-config: %s", shown)
	}
	out := m.must("setpriv --reuid nobody --clear-groups signal-sidecar check-config")
	if !strings.Contains(out, configPath+" cannot be read (permission denied)") {
		t.Errorf("check-config of another user: %s", out)
	}

	completed := m.must(`bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader signal-sidecar
		COMP_WORDS=(signal-sidecar check-config --env-file /etc/jitsi/sig) COMP_CWORD=3; _signal_sidecar; echo "${COMPREPLY[@]}"'`)
	if completed != "/etc/jitsi/signal-sidecar\n" {
		t.Errorf("bash completes %q", completed)
	}

	const notice = "cannot use sudo or signal prosody"
	deb := one(t, release(t), "*_amd64.deb")
	if out := m.install(deb); strings.Count(out, notice) != 1 {
		t.Errorf("without the drop-in, dpkg: %s", out)
	}
	manual := m.read("/usr/share/doc/signal-sidecar/docs/systemd.md")
	m.must("%s", regexp.MustCompile(`(?m)^install .*dump-scripts.conf$`).FindString(manual))
	if out := m.install(deb); strings.Contains(out, notice) {
		t.Errorf("with the drop-in, dpkg: %s", out)
	}
}
