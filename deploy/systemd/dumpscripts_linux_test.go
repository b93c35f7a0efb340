package systemd_test

import (
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// dumpScript does what typical dump scripts do: it becomes root, signals prosody, writes below /mnt and /tmp, and takes
// a long time. It notes each step that works.
const dumpScript = `#!/bin/bash
echo began >>/run/dump/notes
[ "$(id -un)" = signal-sidecar ] && echo user >>/run/dump/notes
sudo --non-interactive sh -c '[ "$(id -u)" = 0 ] && echo root' >>/run/dump/notes
sudo --non-interactive sh -c 'kill -USR1 $(cat /run/prosody.pid)' && echo signal >>/run/dump/notes
pgrep --uid daemon >/dev/null && echo found >>/run/dump/notes
sudo --non-interactive sh -c 'echo x >/mnt/dump' && echo mnt >>/run/dump/notes
echo x >/tmp/dump && echo tmp >>/run/dump/notes
until [ -e /run/dump/go-on ]; do sleep 0.1; done
sudo --non-interactive sh -c 'echo ended' >>/run/dump/notes
`

// prosodyStandIn is a process of another user that handles SIGUSR1.
const prosodyStandIn = `trap "echo USR1 >>/run/dump/prosody" USR1; echo $$ >/run/prosody.pid; while :; do sleep 0.1; done`

// bootWithDump returns a machine whose service runs dumpScript when prosody turns unhealthy.
func bootWithDump(t *testing.T) *machine {
	t.Helper()
	testbed.Component(t, "sudo")
	m := boot(t, "PROSODY_DUMP=/usr/local/bin/dump-prosody")
	m.put("/usr/local/bin/dump-prosody", "755", dumpScript)
	m.put("/etc/sudoers", "440", "signal-sidecar ALL=(root) NOPASSWD: ALL\n")
	m.put("/etc/pam.d/sudo", "644",
		"auth sufficient pam_permit.so\naccount sufficient pam_permit.so\nsession required pam_permit.so\n")
	m.put("/usr/local/bin/prosody-stand-in", "755", "#!/bin/bash\n"+prosodyStandIn+"\n")
	m.must(`install -d -m 777 /run/dump; install -m 666 /dev/null /run/prosody.pid
		systemd-run --quiet --uid=daemon --unit=prosody-stand-in /usr/local/bin/prosody-stand-in`)
	testbed.Eventually(t, "prosody's stand-in to run", bound, func() bool {
		return m.run("[ -s /run/prosody.pid ]").code == 0
	})
	return m
}

// fail makes prosody fail. It returns the notes of the dump script as soon as waiting accepts them.
func (m *machine) fail(waiting func(notes string) bool) (notes string) {
	m.t.Helper()
	m.must("systemctl start signal-sidecar")
	behave(m.node.Prosody, "code 500")
	testbed.Eventually(m.t, "the dump script to come to its end", bound, func() bool {
		notes = m.run("cat /run/dump/notes").out
		return waiting(notes)
	})
	return notes
}

// TestDumpScriptsWithoutDropIn checks that with the unit alone a script can neither become root nor write outside of
// the sandbox.
func TestDumpScriptsWithoutDropIn(t *testing.T) {
	t.Parallel()
	m := bootWithDump(t)
	m.dropIn("test.conf", "[Service]\nReadWritePaths=/run/dump\n") // for the notes of the script
	if notes := m.fail(func(notes string) bool {
		return strings.Contains(notes, "tmp\n")
	}); notes != "began\nuser\ntmp\n" {
		t.Errorf("the script noted:\n%s", notes)
	}
	if m.run("[ -e /tmp/dump ]").code == 0 {
		t.Error("it wrote to everybody's /tmp")
	}
	m.must("systemctl restart signal-sidecar; touch /run/dump/go-on")
	m.becomes("NRestarts", "0")
	if left := m.run("pgrep dump-prosody"); left.code == 0 {
		t.Error("it outlived the restart")
	}
}

// TestDumpScripts checks that with the drop-in a script can do all steps, and survives a restart and a stop of the
// service.
func TestDumpScripts(t *testing.T) {
	t.Parallel()
	m := bootWithDump(t)
	m.dropIn("dump-scripts.conf", contents(t, dropInFile))
	all := "began\nuser\nroot\nsignal\nfound\nmnt\ntmp\n"
	if notes := m.fail(func(notes string) bool { return strings.Contains(notes, "tmp\n") }); notes != all {
		t.Fatalf("the script noted:\n%s", notes)
	}
	m.must("[ -e /mnt/dump ] && [ -e /tmp/dump ]")
	testbed.Eventually(t, "prosody to be signalled", bound, func() bool {
		return m.run("grep -q USR1 /run/dump/prosody").code == 0
	})

	m.must("systemctl restart signal-sidecar; systemctl kill --kill-whom=main --signal=KILL signal-sidecar")
	m.becomes("StatusText", "down ready 100% #prosody_unhealthy: prosody answered 500")
	m.must("systemctl stop signal-sidecar; touch /run/dump/go-on")
	testbed.Eventually(t, "the script to end", bound, func() bool {
		return m.must("cat /run/dump/notes") == all+"ended\n"
	})

	if r := m.run("systemd-analyze security --no-pager signal-sidecar"); r.code != 0 {
		t.Errorf("systemd-analyze: %s", r.out)
	}
}
