package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

var readmeCommand = regexp.MustCompile("(?s)```sh\n(.*?)```")

// readmeStack matches the README's section about the whole stack. It needs components that only the tests in e2e have;
// they test it in TestWalkThrough.
var readmeStack = regexp.MustCompile("(?s)\n## Run the whole stack.*?\n## ")

// TestReadmeCommands runs the commands of the README. The second must be the one that the first runs, and make test
// runs this test, so of that only the existence of the target is checked.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	var commands []string
	readme := readmeStack.ReplaceAllString(testbed.Contents("../../README.md"), "")
	for _, block := range readmeCommand.FindAllStringSubmatch(readme, -1) {
		commands = append(commands, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	replay := "signal-sidecar replay recording.jsonl --set DRAIN_GRACE_INTERVAL=60"
	withoutMake := strings.TrimSpace(dryRun(t, "demo"))
	withoutMake = withoutMake[strings.LastIndexByte(withoutMake, '\n')+1:] // make prints a note before it
	if want := []string{"make demo", withoutMake, "make test", replay}; !slices.Equal(commands, want) {
		t.Fatalf("the README's commands are %q; this test knows %q", commands, want)
	}
	cmd := exec.Command("sh", "-c", "exec "+commands[0])
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "HTTP_PORT=0", "TCP_PORT=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := testbed.Start(t, cmd)
	// A terminal too sends a signal to all processes that make and go run have started.
	signalAll := func(s syscall.Signal) error { return syscall.Kill(-cmd.Process.Pid, s) }
	t.Cleanup(func() { _ = signalAll(syscall.SIGKILL) }) // there is none left, unless the test failed
	testbed.Eventually(t, "the demo's guide", 6*bound, func() bool {
		return strings.Contains(p.Stdout(), "End with Ctrl-C") || p.Ended()
	})
	testbed.Must(t, signalAll(syscall.SIGINT))
	p.Exit(t) // the exit code is that of make
	if log := p.Stderr(); !strings.Contains(log, "signal-sidecar stopped") {
		t.Errorf("the demo did not stop:\n%s", log)
	}

	folder := t.TempDir()
	testbed.Must(t, os.WriteFile(filepath.Join(folder, "recording.jsonl"),
		[]byte(testbed.Contents("../../recording/testdata/recordings/jicofo_overloaded.jsonl")), 0o600))
	if r := runIn(t, folder, nil, strings.Fields(replay)[1:]...); r.code != 0 ||
		!strings.Contains(r.stdout, "with DRAIN_GRACE_INTERVAL=60") {
		t.Errorf("replay: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}

	if out := dryRun(t, "test"); !strings.Contains(out, "go test -race") {
		t.Errorf("make test: %s", out)
	}
}

// dryRun returns the commands that make would run for a target.
func dryRun(t *testing.T, target string) string {
	t.Helper()
	cmd := exec.Command("make", "--no-print-directory", "-n", target)
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make -n %s: %v\n%s", target, err, out)
	}
	return string(out)
}

// TestReadmeSettings checks that the README's table contains every setting.
func TestReadmeSettings(t *testing.T) {
	t.Parallel()
	readme := testbed.Contents("../../README.md")
	for line := range strings.Lines(run(t, nil, "check-config").stdout) {
		name := strings.Fields(line)[0]
		if name == "ENV_FILE" || name == "CENSUS_REPORTS" || strings.HasPrefix(name, "CONSUL_") {
			continue // the README's text names them
		}
		if !regexp.MustCompile(`(?m)^\| ([A-Z_]+, )*` + name + `[ ,]`).MatchString(readme) {
			t.Errorf("the README's table has no %s", name)
		}
	}
}
