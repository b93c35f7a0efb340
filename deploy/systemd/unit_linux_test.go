package systemd_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func behave(s *signalnode.Service, behavior string) {
	s.Set("", signalnode.MustParseBehavior(behavior))
}

// TestService starts the service as the package does. The service counts as started at the first verdict, publishes its
// verdict, notices every edit of the status file at once, and stops at once.
func TestService(t *testing.T) {
	t.Parallel()
	m := boot(t, "POLLING_INTERVAL=3600", "RECOVERY_POLLING_INTERVAL=3600") // only the watch sees edits
	behave(m.node.Prosody, "hang")
	m.must("systemctl start --no-block signal-sidecar")
	m.becomes("StatusText", "waiting for the first verdict")
	if state := m.show("ActiveState"); state != "activating" {
		t.Errorf("before the first verdict it is %s", state)
	}
	testbed.Must(t, m.node.Prosody.Crash()) // this ends the hanging probe, which is then retried
	testbed.Must(t, m.node.Prosody.Recover())
	behave(m.node.Prosody, "healthy")
	m.becomes("ActiveState", "active")
	m.must("systemctl restart signal-sidecar") // now everything is healthy from the start
	m.becomes("StatusText", "up ready 100%")

	for _, edit := range []struct{ by, status string }{
		{"echo drain >/etc/jitsi/shard-status", "up drain 0% #status_drain: the status file says drain"},
		{"echo ready >/etc/jitsi/new; mv /etc/jitsi/new /etc/jitsi/shard-status", "up ready 100%"},
		{"echo maint >/etc/jitsi/new; mv /etc/jitsi/new /etc/jitsi/shard-status",
			"up maint 0% #status_maint: the status file says maint"},
		{"sed -i s/maint/ready/ /etc/jitsi/shard-status", "up ready 100%"},
		{"rm /etc/jitsi/shard-status", "down drain 100% #status_file_unreadable: "},
		{"install -o signal-sidecar -g jitsi -m 644 /dev/null /etc/jitsi/shard-status; echo ready >/etc/jitsi/shard-status",
			"up ready 100%"},
	} {
		m.must(edit.by)
		testbed.Eventually(t, fmt.Sprintf("%q to show as %q", edit.by, edit.status), bound, func() bool {
			return strings.HasPrefix(m.show("StatusText"), edit.status)
		})
	}

	began := time.Now()
	m.must("systemctl stop signal-sidecar")
	if took := time.Since(began); took > 4*time.Second || m.show("Result") != "success" {
		t.Errorf("stopped after %s: %s", took, m.show("Result"))
	}
	for _, entry := range m.journal() {
		if entry["_COMM"] == "signal-sidecar" && entry["SYSLOG_IDENTIFIER"] != "signal-sidecar" {
			t.Errorf("the journal has %v", entry)
		}
	}
	if len(m.logged("signal-sidecar stopped")) != 2 {
		t.Error("the log is not in the journal")
	}
}

// TestSandbox checks the process, and what its user can do in the sandbox.
func TestSandbox(t *testing.T) {
	t.Parallel()
	m := boot(t, `CENSUS_HOST="meet.example.com"`, "CENSUS_POLL=true",
		"RECORD_PATH=/var/lib/signal-sidecar/recording.jsonl")
	m.must("systemctl start signal-sidecar")
	process := "/proc/" + m.servicePID()
	status := map[string]string{}
	for line := range strings.Lines(contents(t, process+"/status")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		status[name] = strings.Join(strings.Fields(value), " ")
	}
	for name, want := range map[string]string{
		"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
		"CapBnd": "0000000000000000", "CapAmb": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2", "Umask": "0027",
	} {
		if status[name] != want {
			t.Errorf("%s is %s, want %s", name, status[name], want)
		}
	}
	if want := strings.Fields(m.must("id -u signal-sidecar; getent group jitsi | cut -d: -f3")); !strings.HasPrefix(
		status["Uid"], want[0]+" ") || !strings.HasPrefix(status["Gid"], want[1]+" ") {
		t.Errorf("user %s and group %s, want %s", status["Uid"], status["Gid"], want)
	}
	if limits := contents(t, process+"/limits"); !strings.Contains(strings.Join(strings.Fields(limits), " "),
		"Max open files 8192 8192") {
		t.Errorf("limits:\n%s", limits)
	}
	if environ := contents(t, process+"/environ"); !strings.Contains("\x00"+environ,
		"\x00CENSUS_HOST=meet.example.com\x00") {
		t.Errorf("a quoted setting is read as in\n%q", environ)
	}

	// The service's user can write the status file in place, also after root replaced it, and the service notices the
	// edit. The user can write nothing else below /etc/jitsi.
	for _, word := range []string{"maint", "drain"} {
		if r := m.inSandbox("echo " + word + " >/etc/jitsi/shard-status"); r.code != 0 {
			t.Errorf("the status file cannot be written: %s", r.out)
		}
		m.becomes("StatusText", fmt.Sprintf("up %s 0%% #status_%[1]s: the status file says %[1]s", word))
		m.must("cp -p /etc/jitsi/shard-status /etc/jitsi/new; echo ready >/etc/jitsi/new; mv /etc/jitsi/new /etc/jitsi/shard-status")
		m.becomes("StatusText", "up ready 100%")
	}
	m.must("echo drain >/etc/jitsi/shard-status")
	m.becomes("StatusText", "up drain 0% #status_drain: the status file says drain")
	for what, script := range map[string]string{
		"make a file beside the status file": "echo x >/etc/jitsi/new",
		"remove the status file":             "rm -f /etc/jitsi/shard-status",
		"see systemd's process":              "ls -d /proc/1",
		"write the config":                   "echo x >>/etc/jitsi/signal-sidecar/config",
		"write elsewhere in /etc":            "echo x >/etc/new",
		"write to /var/log":                  "echo x >/var/log/new",
		"write to /mnt":                      "echo x >/mnt/new",
		"see /home":                          "ls /home/",
	} {
		m.must("chmod 777 /mnt /var/log") // the sandbox must still forbid writing
		if r := m.inSandbox(script); r.code == 0 {
			t.Errorf("its user can %s", what)
		}
	}
	for _, script := range []string{"echo x >/var/lib/signal-sidecar/x", "echo x >/run/signal-sidecar/x",
		"cat /etc/jitsi/signal-sidecar/config", "cat /proc/sys/net/core/somaxconn /proc/stat"} {
		if r := m.inSandbox(script); r.code != 0 {
			t.Errorf("%s: %s", script, r.out)
		}
	}
	if n := strings.Count(m.must("cat /var/lib/signal-sidecar/recording.jsonl"), `"observation"`); n == 0 {
		t.Error("nothing is recorded")
	}

	// Every client can connect to the ports.
	started := m.logged("signal-sidecar started")[0]
	conn, err := net.DialTimeout("tcp", fmt.Sprint(started["agent"]), bound)
	testbed.Must(t, err)
	defer conn.Close()
	if said, _ := io.ReadAll(conn); string(said) != "up drain 0%\n" {
		t.Errorf("the agent says %q", said)
	}
	for _, name := range []string{"probe began to fail", "status file is not watched, only polled",
		"directory of the status file is not watched, only polled"} {
		if lines := m.logged(name); len(lines) > 0 {
			t.Errorf("logged: %v", lines)
		}
	}
}

// TestLongFirstProbe checks that a start succeeds if its first verdict takes longer than TimeoutStartSec, as
// PROBE_TIMEOUT permits.
func TestLongFirstProbe(t *testing.T) {
	t.Parallel()
	m := boot(t, "PROBE_TIMEOUT=6")
	m.dropIn("test.conf", "[Service]\nTimeoutStartSec=4\n") // a loaded machine needs seconds to start a program
	behave(m.node.Prosody, "hang")
	m.must("systemctl start signal-sidecar")
	if status := m.show("StatusText"); !strings.HasPrefix(status, "down ready 100% #prosody_") ||
		m.show("NRestarts") != "0" {
		t.Errorf("%q after %s restarts", status, m.show("NRestarts"))
	}
}

// TestNeverGivenUp checks that systemd restarts the process, however it ends and however often.
func TestNeverGivenUp(t *testing.T) {
	t.Parallel()
	m := boot(t)
	m.dropIn("test.conf", "[Service]\nRestartSec=10ms\n")
	m.must("systemctl start signal-sidecar")
	was := m.show("MainPID")
	m.must("kill -KILL " + was)
	testbed.Eventually(t, "the service to be back", bound, func() bool {
		now := m.show("MainPID")
		return now != was && now != "0" && m.show("ActiveState") == "active"
	})

	m.must("echo 'PARTICIPANT_MAX=many' >>/etc/jitsi/signal-sidecar/config; systemctl restart --no-block signal-sidecar")
	testbed.Eventually(t, "ten starts with a bad setting", bound, func() bool { return atLeast(m.show("NRestarts"), 10) })
	found := false
	for _, entry := range m.journal() {
		text, _ := entry["MESSAGE"].(string)
		found = found || strings.Contains(text, `PARTICIPANT_MAX="many"`)
	}
	if !found {
		t.Error("the journal does not say what is wrong")
	}
	m.must("sed -i /PARTICIPANT_MAX/d /etc/jitsi/signal-sidecar/config")
	m.becomes("StatusText", "up ready 100%")

	m.must("rm /etc/jitsi/signal-sidecar/config; systemctl stop signal-sidecar")
	m.dropIn("test.conf", "[Service]\nEnvironment=HTTP_PORT=0 TCP_PORT=0 HTTP_ADDR=127.0.0.1 TCP_ADDR=127.0.0.1\n")
	m.must("systemctl start signal-sidecar") // with the defaults: nothing replies to its probes
}

func atLeast(number string, n int) bool {
	var got int
	_, err := fmt.Sscan(number, &got)
	return err == nil && got >= n
}

// TestWatchdog makes a read of the status file hang in the kernel. systemd then ends the process, with the traces of
// its goroutines in the journal, and restarts it until the file can be read again.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		testbed.Missing(t, err.Error())
	}
	m := boot(t, "STATUS_PATH=/mnt/shard/status")
	m.must("install -d /mnt/shard; echo ready >/mnt/shard/status")
	m.dropIn("test.conf", "[Service]\nWatchdogSec=1\nTimeoutStartSec=1\nRestartSec=100ms\n")
	m.must("systemctl start signal-sidecar")
	m.becomes("StatusText", "up ready 100%")

	// No process answers the requests of this file system: the shell keeps the device open until its unit is stopped.
	m.must(`systemd-run --quiet --unit=hang bash -c 'exec 3<>/dev/fuse; mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0,allow_other hang /mnt/shard; exec sleep infinity'`)
	testbed.Eventually(t, "the watchdog to bite", bound, func() bool {
		return strings.Contains(m.text(), "Watchdog timeout")
	})
	testbed.Eventually(t, "the service to be started again", bound, func() bool { return atLeast(m.show("NRestarts"), 1) })
	text := m.text()
	for _, part := range []string{"watchdog not fed: a part is stuck", "poll of status_file", "SIGABRT: abort",
		"collector.readStatusFile"} {
		if !strings.Contains(text, part) {
			t.Errorf("the journal does not have %q", part)
		}
	}
	m.must("umount -l /mnt/shard; systemctl stop hang")
	m.becomes("StatusText", "up ready 100%")
}

// text returns the service's entries in the journal, including those of systemd.
func (m *machine) text() string {
	m.t.Helper()
	return m.must("journalctl --no-pager --output=cat --unit=signal-sidecar")
}
