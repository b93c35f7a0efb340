package systemd_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestSystemCalls checks that the unit's filter allows every system call that the binary makes from its start to its
// end. For other calls the filter returns EPERM, which Go ignores in some places.
func TestSystemCalls(t *testing.T) {
	t.Parallel()
	allowed := filter(t)
	for _, call := range []string{"read", "accept4", "inotify_add_watch", "prctl"} {
		if !allowed[call] {
			t.Errorf("%s is not allowed", call)
		}
	}
	for _, call := range []string{"mount", "ptrace", "setuid", "reboot", "bpf", "setpriority"} {
		if allowed[call] {
			t.Errorf("%s is allowed", call)
		}
	}
	var refused []string
	used, families := trace(t)
	for _, call := range used {
		if !allowed[call] {
			refused = append(refused, call)
		}
	}
	t.Logf("used: %v, %v", used, families)
	_, permitted, _ := strings.Cut(contents(t, unitFile), "\nRestrictAddressFamilies=")
	permitted, _, _ = strings.Cut(permitted, "\n")
	for _, family := range families {
		if !slices.Contains(strings.Fields(permitted), family) {
			t.Errorf("sockets of %s are used, %s are permitted", family, permitted)
		}
	}
	if len(refused) > 0 {
		t.Errorf("the unit's filter refuses %v", refused)
	}
	for _, call := range []string{"accept4", "inotify_init1", "inotify_add_watch", "bind", "connect", "shutdown",
		"exit_group"} {
		if !slices.Contains(used, call) {
			t.Errorf("%s was not seen: the trace is not whole", call)
		}
	}
}

// filter returns the system calls that SystemCallFilter= of the unit allows.
func filter(t *testing.T) map[string]bool {
	t.Helper()
	allowed := map[string]bool{}
	for line := range strings.Lines(contents(t, unitFile)) {
		list, ok := strings.CutPrefix(strings.TrimSpace(line), "SystemCallFilter=")
		if !ok {
			continue
		}
		list, deny := strings.CutPrefix(list, "~")
		for _, name := range strings.Fields(list) {
			for _, call := range expand(t, name) {
				allowed[call] = !deny
			}
		}
	}
	return allowed
}

// expand returns the system calls of a group, such as @system-service, or a single name.
func expand(t *testing.T, name string) (calls []string) {
	t.Helper()
	if !strings.HasPrefix(name, "@") {
		return []string{name}
	}
	code, out := analyze(t, "syscall-filter", "--no-pager", name)
	if code != 0 {
		t.Fatalf("%s: %s", name, out)
	}
	for _, line := range strings.Split(out, "\n")[1:] {
		if member := strings.TrimSpace(line); member != "" && !strings.HasPrefix(member, "#") {
			calls = append(calls, expand(t, member)...)
		}
	}
	return calls
}

// trace runs the binary through all its functions. It returns the system calls that the binary made, and the address
// families of its sockets.
func trace(t *testing.T) (calls, families []string) {
	t.Helper()
	strace := testbed.Component(t, "strace")
	node, err := signalnode.Start()
	testbed.Must(t, err)
	t.Cleanup(func() { _ = node.Close() })
	folder := t.TempDir()
	status := write(t, filepath.Join(folder, "jitsi/shard-status"), "ready\n")
	log := filepath.Join(folder, "trace")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(folder, "notify"), Net: "unixgram"})
	testbed.Must(t, err)
	t.Cleanup(func() { _ = manager.Close() })

	// The sidecar is the child and strace a grandchild, so that the sidecar ends with the test even if strace fails.
	cmd := exec.Command(strace, "--daemonize", "--follow-forks", "--quiet=all", "--signal=none", "--output="+log,
		testbed.Binary(t))
	cmd.Dir, cmd.Env = folder, []string{
		"HTTP_ADDR=127.0.0.1", "TCP_ADDR=127.0.0.1", "HTTP_PORT=0", "TCP_PORT=0", "TCP_HOLD_PORT=0", "AGENT_HOLD=0.2",
		"POLLING_INTERVAL=0.1",
		"JICOFO_ORIG=" + node.Jicofo.Origin(),
		"PROSODY_ORIG=" + strings.Replace(node.Prosody.Origin(), "127.0.0.1", "localhost", 1),
		"CENSUS_POLL=true", "CENSUS_HOST=" + signalnode.Domain, "STATUS_PATH=" + status,
		"RECORD_PATH=" + filepath.Join(folder, "recording.jsonl"), "RECORD_MAX_SIZE=65536",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:1", "NOTIFY_SOCKET=" + filepath.Join(folder, "notify"),
		"WATCHDOG_USEC=200000", "RUNTIME_DIRECTORY=" + folder,
		"JICOFO_DUMP=/bin/true", "HEALTH_DAMPENING_INTERVAL=0", "DRAIN_GRACE_INTERVAL=0",
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	testbed.Must(t, err)
	testbed.Must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewReader(out)
	started := ""
	for err == nil && !strings.Contains(started, `"signal-sidecar started"`) {
		started, err = lines.ReadString('\n')
	}
	var ports struct{ HTTP, Agent, Hold string }
	ports.HTTP, ports.Agent, ports.Hold = field(started, "http"), field(started, "agent"), field(started, "agent_hold")
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, lines)
	}()

	says := func(line string) {
		t.Helper()
		testbed.Eventually(t, "the agent to say "+line, bound, func() bool { return check(ports.Agent) == line+"\n" })
	}
	says("up ready 100%")
	_ = check(ports.Hold)
	write(t, status+".new", "drain\n")
	testbed.Must(t, os.Rename(status+".new", status))
	says("up drain 0%")
	write(t, status, "ready\n")
	says("up ready 100%")
	behave(node.Jicofo, "code 503") // this also starts the dump
	says("down ready 100%")
	behave(node.Jicofo, "healthy")
	says("up ready 100%")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: bound}
	for _, path := range []string{"/health", "/signal/report", "/signal/history", "/metrics", "/signal/census"} {
		res, err := client.Get("http://" + ports.HTTP + path)
		testbed.Must(t, err)
		_ = res.Body.Close()
	}
	testbed.Eventually(t, "a second file of the recording", bound, func() bool {
		files, _ := filepath.Glob(filepath.Join(folder, "recording*"))
		return len(files) > 1
	})
	testbed.Must(t, cmd.Process.Signal(syscall.SIGTERM))
	<-drained // strace holds the pipe too: at its end the log is complete
	testbed.Must(t, cmd.Wait())
	for _, family := range regexp.MustCompile(`socket\((AF_\w+)`).FindAllStringSubmatch(contents(t, log), -1) {
		if !slices.Contains(families, family[1]) {
			families = append(families, family[1])
		}
	}
	return callsOf(t, log), families
}

// callsOf returns the system calls of the binary in strace's log, without those of the programs that it started.
func callsOf(t *testing.T, log string) (calls []string) {
	t.Helper()
	others := map[string]bool{} // threads of dump scripts
	for i, line := range strings.Split(contents(t, log), "\n") {
		pid, text, _ := strings.Cut(line, " ")
		text = strings.TrimSpace(text)
		if i > 0 && strings.HasPrefix(text, "execve(") {
			others[pid] = true
		}
		name, _, isCall := strings.Cut(text, "(")
		if isCall && !others[pid] && !strings.HasPrefix(text, "<...") && !slices.Contains(calls, name) {
			calls = append(calls, name)
		}
	}
	slices.Sort(calls)
	return calls
}

// field returns a string field of a line of JSON.
func field(line, name string) string {
	_, after, _ := strings.Cut(line, `"`+name+`":"`)
	value, _, _ := strings.Cut(after, `"`)
	return value
}

// check performs one agent check.
func check(address string) string {
	conn, err := net.DialTimeout("tcp", address, bound)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(bound))
	said, _ := io.ReadAll(conn)
	return string(said)
}
