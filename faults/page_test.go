package faults_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

var update = flag.Bool("update", false, "write docs/faults.md anew")

const (
	page       = "../docs/faults.md"
	pageHeader = `# What happens when …

<!-- Generated: go test ./faults -run TestPage -update -->

Each row is a test: what is done to a node that is up and ready, what must be seen then, and within what time. The tests
run against the real program (` + "`go test ./faults`" + `), unless the row names the test that shows it. They run without
HEALTH_DAMPENING_INTERVAL and DRAIN_GRACE_INTERVAL. With their defaults, most failures of jicofo show as
` + "`up drain 0%`" + ` at first, and a recovered node stays down for a while: [runbook.md](runbook.md).

After every fault, /health returns 200, the sidecar has used less than 64 MiB of memory, and SIGTERM ends it with exit
code 0. If the fault ends, the node is up and ready again.
`
)

// TestPage checks that docs/faults.md lists the rows of the matrix.
func TestPage(t *testing.T) {
	t.Parallel()
	want := pageHeader
	for _, a := range areas {
		want += "\n## " + a.title + "\n\n| what happens | what you see | within |\n| --- | --- | --- |\n"
		for _, f := range a.faults {
			want += "| " + f.does + " | " + f.shown() + " | " + string(f.within) + " |\n"
		}
	}
	if *update {
		testbed.Must(t, os.WriteFile(page, []byte(want), 0o600))
	}
	if testbed.Contents(page) != want {
		t.Errorf("%s differs from the matrix; run this test with -update", page)
	}
}

// shown returns what the page prints about what is seen.
func (f fault) shown() string {
	var parts []string
	add := func(before, value, after string) {
		if value != "" {
			parts = append(parts, before+value+after)
		}
	}
	add("agent `", f.want.line, "`")
	add("reason `", f.want.reason, "`")
	if probe, outcome, found := strings.Cut(f.want.outcome, " "); found && outcome != "ok" {
		add("outcome of the probe "+probe+" `", outcome, "`")
	}
	add("log `", f.want.log, "`")
	add("metric `", f.want.metric, "`")
	add("", f.want.also, "")
	var tests []string
	for _, test := range f.tests {
		folder, name, _ := strings.Cut(test, " ")
		tests = append(tests, name+" in "+folder)
	}
	add("shown by ", strings.Join(tests, " and "), "")
	add("not tested: ", f.cannot, "")
	return strings.Join(parts, "; ")
}

// TestRows checks that each row is complete, that the tests that rows name exist, and that the matrix is large enough.
func TestRows(t *testing.T) {
	t.Parallel()
	rows, names := 0, map[string]bool{}
	for _, a := range areas {
		for _, f := range a.faults {
			rows++
			if names[f.does] {
				t.Errorf("two rows: %s", f.does)
			}
			names[f.does] = true
			if strings.ContainsAny(f.does+f.shown(), "|\n") || f.within == "" || f.shown() == "" {
				t.Errorf("%s: the row is not complete, or does not fit into a table: %q", f.does, f.shown())
			}
			if ways := count(f.inject != nil || f.prepare != nil, len(f.tests) > 0, f.cannot != ""); ways != 1 {
				t.Errorf("%s: the row has %d of a fault to inject, tests and a reason why it cannot be run", f.does, ways)
			}
			if f.want.check != nil && f.want.also == "" {
				t.Errorf("%s: the page does not show what is checked", f.does)
			}
			for _, test := range f.tests {
				folder, name, _ := strings.Cut(test, " ")
				if !hasTest(t, folder, name) {
					t.Errorf("%s: there is no %s in %s", f.does, name, folder)
				}
			}
		}
	}
	if rows < 80 {
		t.Errorf("only %d rows", rows)
	}
}

func count(all ...bool) (n int) {
	for _, b := range all {
		if b {
			n++
		}
	}
	return n
}

// hasTest reports whether a folder of the module has a test.
func hasTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	testbed.Must(t, err)
	test := regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(name) + `\(`)
	for _, file := range files {
		if test.MatchString(testbed.Contents(file)) {
			return true
		}
	}
	return false
}
