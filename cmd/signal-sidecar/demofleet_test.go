package main_test

import (
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// guideCommand returns the command that a guide names, as it is typed.
func guideCommand(t *testing.T, guide, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^  ` + regexp.QuoteMeta(name) + ` {2,}(.+)$`).FindStringSubmatch(guide)
	if m == nil {
		t.Fatalf("the guide does not name %q:\n%s", name, guide)
	}
	return m[1]
}

// TestDemoFleet runs the commands that the guide of a fleet of three shards names.
func TestDemoFleet(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	d := startCommand(t, vars{
		"HTTP_PORT": "0", "PAGE_PORT": "0", "TCP_PORT": "0", "POLLING_INTERVAL": "0.2", "DRAIN_GRACE_INTERVAL": "0",
		"TMPDIR": temp,
	}, "demo", "--fleet", "3")
	testbed.Eventually(t, "the guide", bound, func() bool {
		return strings.Contains(d.Stdout(), "End with Ctrl-C") || d.Ended()
	})
	guide := d.Stdout()
	if !strings.Contains(guide, "They poll every 200ms, and drain for 0s before") {
		t.Errorf("the guide does not name the intervals:\n%s", guide)
	}
	shell := func(name string) (output string, code int) {
		t.Helper()
		// The export holds for all commands of that terminal.
		cmd := exec.Command("sh", "-c", guideCommand(t, guide, "where Consul is")+"; "+guideCommand(t, guide, name))
		cmd.Dir, cmd.Env = t.TempDir(), vars{}.Environ()
		combined, _ := cmd.CombinedOutput()
		return string(combined), cmd.ProcessState.ExitCode()
	}
	prints := func(name, want string) {
		t.Helper()
		testbed.Eventually(t, name+" to print "+want, bound, func() bool {
			output, _ := shell(name)
			return strings.Contains(output, want)
		})
	}
	prints("the fleet", "3 shards: 3 ready\n")
	prints("as JSON", `"shard":"shard3","state":"ready"`)
	prints("what Consul has", `"signal-report/demo/shard1"`)
	code, page := testbed.Get(guideCommand(t, guide, "the fleet's page"))
	link := regexp.MustCompile(`<a href="(\S+)" rel="noreferrer">shard2</a>`).FindStringSubmatch(page)
	if code != http.StatusOK || link == nil {
		t.Fatalf("%d, no link to shard2 in %s", code, page)
	}

	output, exit := shell("drain shard2")
	if exit != 0 || !strings.Contains(output, "shard2: drain (was ready)\nreported after ") {
		t.Errorf("drain: exit %d, %s", exit, output)
	}
	prints("the fleet", ": new kernel\n")
	if _, own := testbed.Get(link[1]); !strings.Contains(own, "<h1>Draining</h1>") {
		t.Errorf("the page of shard2 at %s is %s", link[1], own)
	}
	m := regexp.MustCompile(`curl -d 0 http://(\S+)/load`).FindStringSubmatch(guide)
	testbed.Post(t, "http://"+m[1]+"/load", "0")
	if output, exit = shell("wait for its users"); exit != 0 || !strings.Contains(output, "empty after ") {
		t.Errorf("wait for the users: exit %d, %s", exit, output)
	}
	if output, exit = shell("drain all"); exit != 1 || !strings.Contains(output, "would have no ready shard") {
		t.Errorf("drain all: exit %d, %s", exit, output)
	}
	if output, exit = shell("take it back"); exit != 0 {
		t.Errorf("ready: exit %d, %s", exit, output)
	}
	shell("break shard3")
	prints("the fleet", "1 down")
	shell("heal it")
	if log := d.Stderr(); !regexp.MustCompile(`(?m)^shard2 timestamp=.* message="verdict changed"`).MatchString(log) {
		t.Errorf("the log does not name the shards:\n%s", log)
	}
	if code, took := d.Stop(t, syscall.SIGINT); code != 0 || took > stopTime {
		t.Errorf("exit %d after %s", code, took)
	}
}

// TestDemoFleetBounds checks the number of shards.
func TestDemoFleetBounds(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"0", "51", "-1", "x"} {
		r := run(t, nil, "demo", "--fleet="+n)
		if r.code != 2 || !strings.Contains(r.stderr, `--fleet="`+n+`" (flag): must be a number of shards, 1 to 50`) {
			t.Errorf("%s: exit %d, %s", n, r.code, r.stderr)
		}
	}
}
