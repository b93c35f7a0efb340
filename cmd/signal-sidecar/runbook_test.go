package main_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

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
		"probe began to fail",
		"probe works again",
		"recording fails",
		"recording has a gap",
		"state is not written: a restart would forget it",
		"state is written again",
		"telemetry export began to fail",
		"verdict changed",
		"watchdog not fed",
	} {
		if !strings.Contains(pages, message) || !strings.Contains(sources.String(), `"`+message) {
			t.Errorf("%q is not a message of both the pages and the program", message)
		}
	}
}

// TestRunbookReasons checks that the runbook has a section for each reason, in order. TestRunbook in deploy/systemd
// does what the sections print.
func TestRunbookReasons(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(testbed.Contents("../../docs/runbook.md"), "\n## Reasons\n")
	for _, code := range health.Codes {
		_, after, found := strings.Cut(rest, "\n### "+string(code)+"\n")
		if !found {
			t.Fatalf("the runbook has no section %s, or not in the order of health.Codes", code)
		}
		rest = after
	}
}

var (
	quotedReason = regexp.MustCompile(`(?s)- If the reason says (.*?):`)
	quotedText   = regexp.MustCompile("`([^`]*)`")
)

// TestRunbookTexts checks that each text of a reason that the runbook quotes is a text of a probe.
func TestRunbookTexts(t *testing.T) {
	t.Parallel()
	sources := testbed.Contents("../../collector/words.go") + testbed.Contents("../../collector/httpprobe.go") +
		testbed.Contents("../../errtext/peer.go")
	conditions := quotedReason.FindAllStringSubmatch(testbed.Contents("../../docs/runbook.md"), -1)
	if len(conditions) == 0 {
		t.Error("the runbook quotes no reason")
	}
	for _, condition := range conditions {
		for _, quoted := range quotedText.FindAllStringSubmatch(condition[1], -1) {
			if !strings.Contains(sources, `"`+quoted[1]) && !strings.Contains(sources, " "+quoted[1]) {
				t.Errorf("no probe says %q", quoted[1])
			}
		}
	}
}
