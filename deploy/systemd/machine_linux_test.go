package systemd_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// machine is a systemd that was booted for the test on its own root (testdata/boot.sh), with the unit, the user and the
// files that the package installs. The simulated signal node runs outside of it, in the test's process.
type machine struct {
	t       *testing.T
	systemd *testbed.Systemd
	node    *signalnode.Node
}

const user = "signal-sidecar"

// boot returns a machine whose status file contains ready and whose config has the settings. The service is not
// started.
func boot(t *testing.T, settings ...string) *machine {
	t.Helper()
	return bootIn(t, nil, settings...)
}

// bootIn is boot with more namespaces, as options of unshare.
func bootIn(t *testing.T, spaces []string, settings ...string) *machine {
	t.Helper()
	if os.Getuid() != 0 {
		testbed.Missing(t, "root, to boot systemd in namespaces")
	}
	testbed.Component(t, "systemd-analyze") // part of the systemd package
	unit, err := filepath.Abs(unitFile)
	testbed.Must(t, err)
	systemd := testbed.BootSystemd(t, bound, spaces, "bash", "testdata/boot.sh", t.TempDir(), testbed.Binary(t), unit)
	m := &machine{t: t, systemd: systemd}
	m.install(settings)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("status:\n%s\njournal:\n%s", m.run("systemctl status --no-pager --lines=0 signal-sidecar").out,
				m.run("journalctl --no-pager --output=short-precise --lines=80 --unit=signal-sidecar").out)
		}
	})
	return m
}

// install does the same as the package, and starts the simulated node.
func (m *machine) install(settings []string) {
	m.t.Helper()
	var err error
	m.node, err = signalnode.Start()
	testbed.Must(m.t, err)
	m.t.Cleanup(func() { _ = m.node.Close() })
	m.must(`getent group jitsi || groupadd --system jitsi
		getent passwd signal-sidecar || useradd --system --gid jitsi --no-create-home \
			--home-dir /nonexistent --shell /usr/sbin/nologin signal-sidecar
		install -d -m 755 /etc/jitsi
		install -d -m 750 -g jitsi /etc/jitsi/signal-sidecar
		echo ready >/etc/jitsi/shard-status
		chown signal-sidecar:jitsi /etc/jitsi/shard-status`)
	m.configure(append([]string{
		"HTTP_ADDR=127.0.0.1", "TCP_ADDR=127.0.0.1", "HTTP_PORT=0", "TCP_PORT=0",
		"JICOFO_ORIG=" + m.node.Jicofo.Origin(), "PROSODY_ORIG=" + m.node.Prosody.Origin(),
		"POLLING_INTERVAL=0.1", "HEALTH_DAMPENING_INTERVAL=0", "DRAIN_GRACE_INTERVAL=0",
	}, settings...)...)
}

// configure writes the lines to the config file of the package.
func (m *machine) configure(lines ...string) {
	m.t.Helper()
	m.put("/etc/jitsi/signal-sidecar/config", "644", strings.Join(lines, "\n")+"\n")
}

// put writes a file that root owns, and creates its folders.
func (m *machine) put(path, mode, content string) {
	m.t.Helper()
	m.must(fmt.Sprintf("mkdir -p %s && cat >%s <<'END'\n%sEND\nchmod %s %s", filepath.Dir(path), path, content, mode,
		path))
}

// dropIn installs a drop-in of the unit.
func (m *machine) dropIn(name, content string) {
	m.t.Helper()
	m.put("/etc/systemd/system/signal-sidecar.service.d/"+name, "644", content)
	m.must("systemctl daemon-reload")
}

// result is the result of a script.
type result struct {
	code int
	out  string // both streams
}

// run runs a script as root on the machine.
func (m *machine) run(script string) result {
	m.t.Helper()
	return m.runBy(m.systemd.Enter(), script)
}

// runBy runs a script in the namespaces that the command line enters.
func (m *machine) runBy(enter []string, script string) result {
	m.t.Helper()
	line := append(enter, "timeout", fmt.Sprint(int(bound.Seconds())), "bash", "-euc", script)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), string(out)}
}

// must runs a script and fails the test if the script fails.
func (m *machine) must(script string) string {
	m.t.Helper()
	r := m.run(script)
	if r.code != 0 {
		m.t.Fatalf("%s\nexit %d:\n%s", script, r.code, r.out)
	}
	return r.out
}

// show returns a property of the service.
func (m *machine) show(property string) string {
	m.t.Helper()
	return strings.TrimSuffix(m.must("systemctl show --value --property="+property+" signal-sidecar"), "\n")
}

// becomes waits until a property of the service has a value.
func (m *machine) becomes(property, value string) {
	m.t.Helper()
	last := ""
	defer func() {
		if m.t.Failed() {
			m.t.Logf("%s was last %q", property, last)
		}
	}()
	testbed.Eventually(m.t, fmt.Sprintf("%s to be %q", property, value), bound, func() bool {
		last = m.show(property)
		return last == value
	})
}

// inSandbox runs a script as the service's user, with its view of the file systems.
func (m *machine) inSandbox(script string) result {
	m.t.Helper()
	script = fmt.Sprintf("exec setpriv --reuid %s --regid jitsi --init-groups --no-new-privs --bounding-set -all bash -euc %q", user, script)
	return m.runBy([]string{"nsenter", "--target", m.servicePID(), "--mount"}, script)
}

// servicePID returns the process id of the service in the test's namespace.
func (m *machine) servicePID() string {
	m.t.Helper()
	inside := m.show("MainPID")
	statuses, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, path := range statuses {
		status, _ := os.ReadFile(path)
		_, ids, _ := strings.Cut(string(status), "\nNSpid:")
		ids, _, _ = strings.Cut(ids, "\n")
		fields := strings.Fields(ids)
		if len(fields) < 2 || fields[len(fields)-1] != inside {
			continue
		}
		pid := filepath.Base(filepath.Dir(path))
		if mine, _ := os.Readlink("/proc/" + pid + "/ns/pid"); mine == m.pidSpace() {
			return pid
		}
	}
	m.t.Fatalf("no process is %s on the machine", inside)
	return ""
}

func (m *machine) pidSpace() string {
	space, _ := os.Readlink("/proc/" + m.systemd.PID + "/ns/pid")
	return space
}

// journal returns the service's entries, each with the fields of the journal.
func (m *machine) journal() (entries []map[string]any) {
	m.t.Helper()
	for line := range strings.Lines(m.must("journalctl --no-pager --output=json --unit=signal-sidecar")) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil {
			entries = append(entries, entry)
		}
	}
	return entries
}

// logged returns the lines of the service's own log that have the message.
func (m *machine) logged(message string) (lines []map[string]any) {
	m.t.Helper()
	for _, entry := range m.journal() {
		text, _ := entry["MESSAGE"].(string)
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) == nil && line["message"] == message {
			lines = append(lines, line)
		}
	}
	return lines
}
