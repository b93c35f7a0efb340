package main_test

import (
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// demo is a running demo, with the addresses and the path that its guide names.
type demo struct {
	*sidecar
	temp, page, control, statusPath string
}

var (
	guidePage    = regexp.MustCompile(`the status page +http://(\S+)/\n`)
	guideAgent   = regexp.MustCompile(`curl -s telnet://(\S+) </dev/null`)
	guideHTTP    = regexp.MustCompile(`curl -i http://(\S+)/signal/health`)
	guideControl = regexp.MustCompile(`curl http://(\S+)/\n`)
	guideStatus  = regexp.MustCompile(`echo drain > (\S+)`)
	guideProgram = regexp.MustCompile(`\S+/signal-sidecar ((?:status|replay) .+)\n`)
	guideURL     = regexp.MustCompile(`http://[^\s']+`)
)

func startDemo(t *testing.T, v vars) *demo {
	t.Helper()
	temp := t.TempDir()
	cmd := exec.Command(testbed.Binary(t), "demo")
	cmd.Dir, cmd.Env = t.TempDir(), v.With(vars{"TMPDIR": temp}).Environ()
	d := &demo{sidecar: &sidecar{&testbed.Sidecar{Process: testbed.Start(t, cmd)}}, temp: temp}
	testbed.Eventually(t, "the guide", bound, func() bool {
		return strings.Contains(d.Stdout(), "End with Ctrl-C") || d.Ended()
	})
	for into, pattern := range map[*string]*regexp.Regexp{
		&d.page: guidePage, &d.Agent: guideAgent, &d.HTTP: guideHTTP, &d.control: guideControl, &d.statusPath: guideStatus,
	} {
		m := pattern.FindStringSubmatch(d.Stdout())
		if m == nil {
			t.Fatalf("the guide does not say %s:\n%s", pattern, d.Stdout())
		}
		*into = m[1]
	}
	return d
}

// command sends a command to the control endpoint of the node, as the guide describes.
func (d *demo) command(t *testing.T, path, text string) {
	t.Helper()
	testbed.Post(t, "http://"+d.control+path, text)
}

// end interrupts the demo and checks that it cleans up.
func (d *demo) end(t *testing.T) {
	t.Helper()
	if code, took := d.Stop(t, syscall.SIGINT); code != 0 || took > stopTime {
		t.Errorf("exit %d after %s", code, took)
	}
	if left, _ := filepath.Glob(d.temp + "/*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestDemo tries what the guide describes.
func TestDemo(t *testing.T) {
	t.Parallel()
	d := startDemo(t, vars{
		"HTTP_PORT": "0", "PAGE_PORT": "0", "TCP_PORT": "0",
		"POLLING_INTERVAL": "0.1", "DRAIN_GRACE_INTERVAL": "0", "HEALTH_DAMPENING_INTERVAL": "0",
	})
	d.becomes(t, "up ready 100%")
	for _, url := range guideURL.FindAllString(d.Stdout(), -1) {
		if strings.HasSuffix(url, "/jicofo") || strings.HasSuffix(url, "/prosody") || strings.HasSuffix(url, "/load") {
			continue // commands
		}
		testbed.Eventually(t, url+" to answer", bound, func() bool {
			code, _ := testbed.Get(url)
			return code == http.StatusOK
		})
	}
	if !strings.HasPrefix(d.statusPath, d.temp) {
		t.Errorf("the status file is %s", d.statusPath)
	}
	testbed.ReplaceFile(t, d.statusPath, "drain\n")
	d.becomes(t, "up drain 0%")
	testbed.ReplaceFile(t, d.statusPath, "ready\n")
	d.becomes(t, "up ready 100%")
	for _, step := range []struct{ path, text, line string }{
		{"/jicofo", "code 503", "down ready 100%"},
		{"/jicofo", "recover", "up ready 100%"},
		{"/jicofo", "crash", "down ready 100%"},
		{"/jicofo", "recover", "up ready 100%"},
		{"/load", "6000", "up drain 0%"},
		{"/load", "10", "up ready 100%"},
		{"/prosody", "code 500", "down ready 100%"},
		{"/prosody", "recover", "up ready 100%"},
	} {
		d.command(t, step.path, step.text)
		d.becomes(t, step.line)
	}
	commands := guideProgram.FindAllStringSubmatch(d.Stdout(), -1)
	for _, command := range commands {
		if r := run(t, nil, strings.Fields(command[1])...); r.code != 0 || !strings.Contains(r.stdout, "up ready 100%") {
			t.Errorf("%s: exit %d\n%s%s", command[0], r.code, r.stdout, r.stderr)
		}
	}
	if len(commands) != 2 {
		t.Errorf("the guide has the commands %q", commands)
	}
	if log := d.Stderr(); !strings.Contains(log, `message="verdict changed"`) {
		t.Errorf("the log shows no change of the verdict:\n%s", log)
	}
	d.end(t)
}

// TestDemoTakesFreePorts starts the demo while its default ports are in use.
func TestDemoTakesFreePorts(t *testing.T) {
	t.Parallel()
	for _, port := range []string{"6000", "6001", "6060"} {
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil { // else another process uses it
			t.Cleanup(func() { _ = l.Close() })
		}
	}
	d := startDemo(t, nil)
	if !strings.Contains(d.Stdout(), "polls every 2s, drains for 30s") ||
		!strings.Contains(d.Stdout(), "stays down for 10s after the last failure") {
		t.Errorf("the guide does not name the demo's intervals:\n%s", d.Stdout())
	}
	d.becomes(t, "up ready 100%")
	for _, address := range []string{strings.Replace(d.page, "localhost", "127.0.0.1", 1), d.HTTP, d.Agent, d.control} {
		host, port, _ := net.SplitHostPort(address)
		if host != "127.0.0.1" || port == "6000" || port == "6001" || port == "6060" || port == "0" {
			t.Errorf("the demo is at %s", address)
		}
	}
	d.end(t)
}

// TestDemoTakesGivenPorts gives the demo ports that are free.
func TestDemoTakesGivenPorts(t *testing.T) {
	t.Parallel()
	http, agent := testbed.LastingPort(t), testbed.LastingPort(t)
	held, page := testbed.LastingPort(t), testbed.LastingPort(t)
	d := startDemo(t, vars{"HTTP_PORT": http, "PAGE_PORT": page, "TCP_PORT": agent, "TCP_HOLD_PORT": held})
	if d.page != "localhost:"+page {
		t.Errorf("the page is at %s, want port %s", d.page, page)
	}
	if guide := d.Stdout(); !strings.Contains(guide,
		"and when it changes     curl -s telnet://127.0.0.1:"+held+" </dev/null\n") {
		t.Errorf("the guide does not say where the held port is:\n%s", guide)
	}
	if got := replyOf(t, wait(t, "127.0.0.1:"+held)); got != "up ready 100%\n" {
		t.Errorf("the held port replied %q", got)
	}
	if d.HTTP != "127.0.0.1:"+http || d.Agent != "127.0.0.1:"+agent {
		t.Errorf("asked for ports %s and %s, got %s and %s", http, agent, d.HTTP, d.Agent)
	}
	d.becomes(t, "up ready 100%")
	d.end(t)
}
