package main_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// manager is the receiver of a NOTIFY_SOCKET, in place of systemd.
type manager struct {
	mu       sync.Mutex
	messages []message
}

type message struct {
	at   time.Time
	text string
}

// newManager listens on an address: a path, or @ and an abstract name.
func newManager(t *testing.T, address string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	testbed.Must(t, err)
	m := new(manager)
	var reading sync.WaitGroup
	reading.Go(func() {
		for buffer := make([]byte, 64<<10); ; {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.messages = append(m.messages, message{time.Now(), string(buffer[:n])})
			m.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = conn.Close()
		reading.Wait()
	})
	return m
}

// received returns the messages so far, without those that feed the watchdog.
func (m *manager) received() (all []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, message := range m.messages {
		if message.text != "WATCHDOG=1" {
			all = append(all, message.text)
		}
	}
	return all
}

// feeds returns the times at which the watchdog was fed.
func (m *manager) feeds() (all []time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, message := range m.messages {
		if message.text == "WATCHDOG=1" {
			all = append(all, message.at)
		}
	}
	return all
}

// expect waits for as many messages as wanted, and checks that they are equal to the wanted ones.
func (m *manager) expect(t *testing.T, want ...string) {
	t.Helper()
	testbed.Eventually(t, "the service manager to be sent "+want[len(want)-1], bound, func() bool {
		return len(m.received()) >= len(want)
	})
	if got := m.received(); !slices.Equal(got, want) {
		t.Fatalf("got:\n%q\nwant:\n%q", got, want)
	}
}

// pollAll waits for some more polls of all services, in which a wrong message would come.
func pollAll(t *testing.T, s *shard) {
	t.Helper()
	s.polls(t, 5, map[string]string{"jicofo_health": "ok", "prosody": "ok", "status_file": "ok"})
}

// TestNotify checks the messages to systemd from the start to the end.
func TestNotify(t *testing.T) {
	t.Parallel()
	for name, socket := range map[string]func(*testing.T) string{
		"path":     func(t *testing.T) string { return filepath.Join(t.TempDir(), "notify") },
		"abstract": func(t *testing.T) string { return "@signal-sidecar-test" + strings.ReplaceAll(t.TempDir(), "/", "-") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := socket(t)
			m := newManager(t, address)
			s := newShard(t, vars{"NOTIFY_SOCKET": address, "PROBE_TIMEOUT": "60"})
			s.prosody("hang")
			s.start(t)
			sent := []string{"EXTEND_TIMEOUT_USEC=70000000\nSTATUS=waiting for the first verdict"}
			s.polls(t, 5, map[string]string{"jicofo_health": "ok", "status_file": "ok"})
			m.expect(t, sent...)
			s.prosody("healthy")
			testbed.Must(t, s.Prosody.Crash()) // ends the probe that hangs
			testbed.Must(t, s.Prosody.Recover())
			s.becomes(t, "up ready 100%")
			testbed.Eventually(t, "READY", bound, func() bool { return len(m.received()) > 1 })
			if first := m.received()[1]; !strings.HasPrefix(first, "READY=1\nSTATUS=") {
				t.Fatalf("the message of the first verdict is %q", first)
			}
			testbed.Eventually(t, "the service manager to be notified of the end of prosody's restart", bound, func() bool {
				sent = m.received()
				return strings.HasSuffix(sent[len(sent)-1], "STATUS=up ready 100%")
			})
			pollAll(t, s)
			for _, change := range []struct {
				make func()
				sent string
			}{
				{func() { s.Say(t, "drain") }, "up drain 0% #status_drain: the status file says drain"},
				{func() { s.Say(t, "ready") }, "up ready 100%"},
				{func() { s.prosody("code 503") }, "down ready 100% #prosody_unhealthy: prosody answered 503"},
				{func() { s.prosody("code 500") }, "down ready 100% #prosody_unhealthy: prosody answered 500"},
				{func() { s.prosody("healthy") }, "up ready 100%"},
			} {
				change.make()
				sent = append(sent, "STATUS="+change.sent)
				m.expect(t, sent...)
			}
			pollAll(t, s)
			if code, _ := s.Stop(t, syscall.SIGTERM); code != 0 {
				t.Errorf("exit %d", code)
			}
			m.expect(t, append(sent, "STOPPING=1\nSTATUS=stopping")...)
			if fed := m.feeds(); len(fed) > 0 {
				t.Errorf("the watchdog was fed %d times, and there is none", len(fed))
			}
		})
	}
}

// TestWatchdogIsFed checks that the process that WATCHDOG_PID names feeds the watchdog at half of its time.
func TestWatchdogIsFed(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	m := newManager(t, socket)
	s := newShard(t, vars{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "400000"})
	binary, began := testbed.Binary(t), time.Now()
	s.startBy(t, "sh", "-c", `WATCHDOG_PID=$$ exec "$0"`, binary)
	testbed.Eventually(t, "the watchdog to be fed ten times", bound, func() bool { return len(m.feeds()) >= 10 })
	if took := m.feeds()[9].Sub(began); took < 10*200*time.Millisecond {
		t.Errorf("fed ten times within %s", took)
	}
	_, _ = s.Stop(t, syscall.SIGTERM)
}

// TestWatchdogOfAnother checks that a watchdog for another process is not fed.
func TestWatchdogOfAnother(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	m := newManager(t, socket)
	s := startShard(t, vars{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
	s.becomes(t, "up ready 100%")
	pollAll(t, s)
	if fed := m.feeds(); len(fed) > 0 {
		t.Errorf("fed %d times", len(fed))
	}
}

// TestWatchdogOfStuckLoop makes a read of the status file hang in the kernel, as on an unreachable file server. The
// watchdog is not fed until the read ends; all other parts continue. While only a service hangs, the watchdog is still
// fed.
func TestWatchdogOfStuckLoop(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	m := newManager(t, socket)
	s := startShard(t, vars{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "500000", "PROBE_TIMEOUT": "1"})
	s.becomes(t, "up ready 100%")
	s.prosody("hang")
	s.becomes(t, "down ready 100%")

	release := hang(t, filepath.Dir(s.StatusPath))
	testbed.Eventually(t, "a log line about the stuck loop", bound, func() bool {
		return len(s.Logged("watchdog not fed: a part is stuck")) > 0
	})
	stuck := s.Logged("watchdog not fed: a part is stuck")[0]
	if text, _ := stuck["error"].(string); !strings.HasPrefix(text, "the last poll of status_file ended ") {
		t.Errorf("logged: %v", stuck)
	}
	fed := len(m.feeds())
	s.polls(t, 30, map[string]string{"jicofo_health": "ok"})
	s.prosody("healthy")
	testbed.Eventually(t, "prosody to be healthy again", bound, func() bool {
		return len(s.Logged("probe works again")) > 0
	})
	if code := s.healthCode(); code != 500 {
		t.Errorf("/signal/health answers %d with a verdict that is out of date", code)
	}
	if line := s.line(); line != "" {
		t.Errorf("the agent replies %q while the status file is overdue", line)
	}
	if now := len(m.feeds()); now > fed {
		t.Errorf("fed %d times while the loop was stuck", now-fed)
	}

	release()
	testbed.Eventually(t, "the watchdog to be fed again", bound, func() bool { return len(m.feeds()) > fed+2 })
	if n := len(s.Logged("watchdog fed again: no part is stuck any more")); n != 1 {
		t.Errorf("%d lines say that it goes on", n)
	}
	if n := len(s.Logged("watchdog not fed: a part is stuck")); n != 1 {
		t.Errorf("%d lines say that it was stuck", n)
	}
}

// hang mounts a file system over a folder on which every access waits until release unmounts it.
func hang(t *testing.T, folder string) (release func()) {
	t.Helper()
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err == nil {
		options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", device.Fd())
		err = syscall.Mount("hang", folder, "fuse", syscall.MS_NOSUID|syscall.MS_NODEV, options)
	}
	if err != nil {
		testbed.Missing(t, "FUSE, with the right to mount: "+err.Error())
	}
	release = sync.OnceFunc(func() {
		_ = device.Close() // ends the accesses that hang
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", folder, err)
		}
	})
	t.Cleanup(release)
	return release
}

// TestBrokenNotifySocket checks that messages that cannot be sent are logged once, and that the verdict still changes.
func TestBrokenNotifySocket(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, socket := range map[string]string{
		"missing":       filepath.Join(folder, "missing"),
		"no socket":     write(t, folder, "file", ""),
		"relative":      "notify",
		"too long":      "/" + strings.Repeat("x", 200),
		"of other kind": "vsock:2:1234",
		"no reader":     fullSocket(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startShard(t, vars{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "100000"})
			s.becomes(t, "up ready 100%")
			s.Say(t, "drain")
			s.becomes(t, "up drain 0%")
			s.polls(t, 10, map[string]string{"jicofo_health": "ok", "prosody": "ok", "status_file": "ok"})
			testbed.Eventually(t, "the log line", bound, func() bool {
				return len(s.Logged("message to systemd not sent")) > 0
			})
			if code, took := s.Stop(t, syscall.SIGTERM); code != 0 || took > stopTime {
				t.Errorf("exit %d after %s", code, took)
			}
			if logged := s.Logged("message to systemd not sent", "level", "warn", "socket", socket); len(logged) != 1 {
				t.Errorf("logged: %v", logged)
			}
		})
	}
}

// fullSocket returns the path of a socket whose queue is full and that no process reads.
func fullSocket(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	testbed.Must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	testbed.Must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	for {
		testbed.Must(t, conn.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
		if _, err := conn.Write([]byte("x")); err != nil {
			return path
		}
	}
}

// TestBadWatchdog checks that a watchdog with an invalid time is not fed, and that all else works.
func TestBadWatchdog(t *testing.T) {
	t.Parallel()
	for _, time := range []string{"soon", "-1", "0", "99999999999999999999"} {
		t.Run(time, func(t *testing.T) {
			t.Parallel()
			socket := filepath.Join(t.TempDir(), "notify")
			m := newManager(t, socket)
			s := startShard(t, vars{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": time})
			s.becomes(t, "up ready 100%")
			pollAll(t, s)
			if logged := s.Logged("watchdog is not fed", "level", "warn"); len(logged) != 1 || len(m.feeds()) > 0 {
				t.Errorf("fed %d times, logged %v", len(m.feeds()), logged)
			}
		})
	}
}
