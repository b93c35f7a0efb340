package packages

import (
	"regexp"
	"strings"
	"testing"
)

// dropIn matches a block of docs/systemd.md with a drop-in. The groups are the unit and the drop-in.
var dropIn = regexp.MustCompile("(?ms)^ *# systemctl edit (\\S+)\n(.*?)^ *```$")

// TestSystemdPage follows docs/systemd.md on a shard that is up.
func TestSystemdPage(t *testing.T) {
	m := newMachine(t).boot()
	m.install(one(t, release(t), "*_amd64.deb"))
	m.simulateNode()
	p := m.openPage("systemd.md")
	edits := map[string]string{}
	for _, found := range dropIn.FindAllStringSubmatch(m.read("/usr/share/doc/signal-sidecar/docs/systemd.md"), -1) {
		edits[found[1]] = regexp.MustCompile("(?m)^ +").ReplaceAllString(found[2], "")
	}

	if command := p.next("systemctl edit signal-sidecar"); command != "systemctl edit signal-sidecar" {
		t.Errorf("the page edits with %s", command)
	}
	m.must("install -d -o signal-sidecar /srv/shard")
	m.edit("signal-sidecar", edits["signal-sidecar"])
	if shown := m.must("systemctl show --property=ReadWritePaths signal-sidecar"); !strings.Contains(shown, "/srv/shard") {
		t.Errorf("after the edit: %s", shown)
	}

	p.expect("$ systemctl status signal-sidecar", "Status: \"up drain 0%")
	p.next("Active:")
	p.next("Status:")

	p.follow("systemctl stop signal-sidecar", "")
	p.follow("systemctl enable --now signal-sidecar-agent.socket", "")
	p.follow("systemctl start signal-sidecar", "")
	m.edit("signal-sidecar-agent.socket", strings.Replace(edits["signal-sidecar-agent.socket"], "10.0.0.5", "127.0.0.1", 1))
	p.follow("systemctl stop signal-sidecar-agent.socket", "")
	p.follow("systemctl start signal-sidecar-agent.socket", "")
	m.eventually("the log has the sockets", "test $(journalctl -t signal-sidecar | grep -c 'listening on the socket that systemd passed') = 4")
	m.eventually("the agent replies", "test \"$(echo | nc 127.0.0.1 6060)\" = 'up drain 0%'")
	if out := m.must("ss --listening --tcp --numeric"); !strings.Contains(out, "127.0.0.1:6060") || strings.Contains(out, "*:6060") {
		t.Errorf("listening: %s", out)
	}
	p.follow("systemctl stop signal-sidecar-agent.socket", "")
	if out := m.must("ss --listening --tcp --numeric"); strings.Contains(out, ":6060") || strings.Contains(out, ":6000") {
		t.Errorf("after the stop, listening: %s", out)
	}

	p.expect("systemd-analyze security", "signal-sidecar.service: 1.1")
	p.follow("install -D", "")
	p.follow("systemctl daemon-reload", "")
	p.follow("systemctl restart", "")
	if out := m.must("systemd-analyze security signal-sidecar"); !strings.Contains(out, "signal-sidecar.service: 8.4") {
		t.Errorf("with the drop-in for scripts: %s", out)
	}

	p.expect("journalctl", "up drain 0% status_drain: ")
	p.close(map[string]string{"{unit=": "a query of Loki"})
}

// simulateNode runs a simulated jicofo and prosody on the machine, under another name than the sidecar's. It restarts the
// sidecar without dampening, and waits until it is up.
func (m *machine) simulateNode() {
	m.t.Helper()
	m.must("cp /usr/bin/signal-sidecar /usr/local/bin/signal-node")
	m.must("systemd-run --quiet --unit=signal-node signal-node simulate")
	m.write(configPath, lineInFile(m.read(configPath), "HEALTH_DAMPENING_INTERVAL=", "HEALTH_DAMPENING_INTERVAL=0"))
	m.must("systemctl restart signal-sidecar")
	m.eventually("the shard is up", "signal-sidecar status")
}

// eventually waits until a command succeeds.
func (m *machine) eventually(what, line string) {
	m.t.Helper()
	out, err := m.run("for i in $(seq 600); do { %s\n} >/tmp/out 2>&1 && exit; sleep 0.1; done; cat /tmp/out; exit 1", line)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s\n%s", what, err, out, m.must("journalctl --no-pager --lines=20"))
	}
}
