package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestRunbook tries what docs/runbook.md describes, on a shard that failed and recovered, and on the HAProxy in front
// of it.
func TestRunbook(t *testing.T) {
	t.Parallel()
	runbook := testbed.Contents("../../docs/runbook.md")
	s := startShard(t, nil)
	s.becomes(t, "up ready 100%")
	s.jicofo("code 503")
	s.becomes(t, "down ready 100%")
	t.Run("the reason in a header", func(t *testing.T) {
		res, err := testbed.Client.Get("http://" + s.HTTP + "/about/health")
		testbed.Must(t, err)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Signal-Reason") != "jicofo_overloaded" {
			t.Errorf("/about/health answers %d with Signal-Reason %q", res.StatusCode, res.Header.Get("Signal-Reason"))
		}
	})
	s.jicofo("healthy")
	s.becomes(t, "up ready 100%")

	t.Run("addresses", func(t *testing.T) {
		paths := regexp.MustCompile("http://shard1:6000(/[^ '`\n]*)").FindAllStringSubmatch(runbook, -1)
		if len(paths) < 4 {
			t.Fatalf("the runbook names only %q", paths)
		}
		for _, path := range paths {
			if code, body := testbed.Get("http://" + s.HTTP + path[1]); code != http.StatusOK {
				t.Errorf("%s answers %d %s", path[1], code, body)
			}
		}
	})
	t.Run("messages of the log", func(t *testing.T) {
		line := regexp.MustCompile(`(?m)^journalctl .*# the log: (.*)$`).FindStringSubmatch(runbook)
		if line == nil {
			t.Fatal("the runbook does not list the log's messages")
		}
		for _, message := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(line[1], -1) {
			testbed.Eventually(t, message[0]+" in the log", bound, func() bool { return len(s.Logged(message[1])) > 0 })
		}
	})
	t.Run("commands", func(t *testing.T) {
		_, port, _ := strings.Cut(s.HTTP, ":")
		folder := packagedFolder(t, vars{"HTTP_PORT": port, "STATUS_PATH": filepath.Join(t.TempDir(), "shard-status")})
		testbed.Must(t, os.WriteFile(filepath.Join(folder, "recording.jsonl"),
			[]byte(testbed.Contents("../../recording/testdata/recordings/jicofo_overloaded.jsonl")), 0o600))
		for _, command := range regexp.MustCompile(`(?m)^ *signal-sidecar ([^#\n]+)`).FindAllStringSubmatch(runbook, -1) {
			if r := runIn(t, folder, nil, strings.Fields(command[1])...); r.code != 0 {
				t.Errorf("%s: exit %d\n%s%s", command[0], r.code, r.stdout, r.stderr)
			}
		}
	})
	t.Run("columns of show stat", func(t *testing.T) {
		h := startHAProxy(t, agentOf{"first", strings.TrimPrefix(s.Prosody.Origin(), "http://"), s.Agent, "first", ""})
		text, err := h.ask("show stat")
		testbed.Must(t, err)
		header, _, _ := strings.Cut(strings.TrimPrefix(text, "# "), "\n")
		names := strings.Split(header, ",")
		list := regexp.MustCompile(`show stat.*cut -d, -f([0-9,]+)`).FindStringSubmatch(runbook)
		if list == nil {
			t.Fatal("the runbook does not show HAProxy's view")
		}
		var got []string
		for _, number := range strings.Split(list[1], ",") {
			n, err := strconv.Atoi(number)
			testbed.Must(t, err)
			got = append(got, names[n-1])
		}
		if want := []string{"pxname", "svname", "status", "weight", "last_agt", "agent_status"}; !slices.Equal(got, want) {
			t.Errorf("the columns are %q, want %q", got, want)
		}
	})
}

// TestRunbookLogMessages checks that the program has each log message that the runbook and docs/systemd.md quote.
func TestRunbookLogMessages(t *testing.T) {
	t.Parallel()
	pages := testbed.Contents("../../docs/runbook.md") + testbed.Contents("../../docs/systemd.md")
	pages = strings.Join(strings.Fields(pages), " ")
	files, err := filepath.Glob("../../*/*.go")
	testbed.Must(t, err)
	var sources strings.Builder
	for _, file := range append(files, "serve.go", "listen.go") {
		if !strings.HasSuffix(file, "_test.go") {
			sources.WriteString(testbed.Contents(file))
		}
	}
	for _, message := range []string{
		"HTTP connections wait: all are in use and have a request in progress",
		"agent connections are refused: TCP_ALLOW does not list the address",
		"consul began to fail",
		"listening on the socket that systemd passed",
		"recording fails",
		"recording has a gap",
		"state is not written: a restart would forget it",
		"state is written again",
		"telemetry export began to fail",
		"watchdog not fed",
	} {
		if !strings.Contains(pages, message) || !strings.Contains(sources.String(), `"`+message) {
			t.Errorf("%q is not a message of both the pages and the program", message)
		}
	}
}

// TestRunbookReasons checks that the runbook names each reason that can take a shard down.
func TestRunbookReasons(t *testing.T) {
	t.Parallel()
	runbook := testbed.Contents("../../docs/runbook.md")
	for _, code := range regexp.MustCompile(
		`"(jicofo_\w+|prosody_\w+|dampening|status_file_unreadable|status_unknown)"`).
		FindAllStringSubmatch(testbed.Contents("../../health/reason.go"), -1) {
		if !regexp.MustCompile("[`| ]" + code[1] + "[`,| ]").MatchString(runbook) {
			t.Errorf("the runbook does not contain what to do about %s", code[1])
		}
	}
}
