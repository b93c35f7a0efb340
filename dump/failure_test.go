package dump

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestFailure checks that each failure is logged once, is an error in the span, and does not prevent the next start.
func TestFailure(t *testing.T) {
	for name, test := range map[string]struct {
		command string
		prepare func(*testing.T, *node)
		reason  string
		starts  bool
	}{
		"missing": {"DIR/missing", func(*testing.T, *node) {}, "no such file or directory", false},
		"not executable": {"DIR/dump", func(t *testing.T, n *node) {
			n.script(t, "dump", "echo ran >DIR/left")
			if err := os.Chmod(filepath.Join(n.dir, "dump"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "permission denied", false},
		"a folder": {"DIR", func(*testing.T, *node) {}, "permission denied", false},
		"no interpreter line": {"DIR/dump", func(t *testing.T, n *node) {
			if err := os.WriteFile(filepath.Join(n.dir, "dump"), []byte("echo ran\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, "exec format error", false},
		"exit 3": {"DIR/dump", func(t *testing.T, n *node) { n.script(t, "dump", "exit 3") }, "exit status 3", true},
		"killed": {"DIR/dump", func(t *testing.T, n *node) { n.script(t, "dump", "kill -9 $$") }, "signal: killed", true},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, test.command, "")
			test.prepare(t, n)
			for turn := 1; turn <= 2; turn++ {
				n.jicofo(t.Context(), 200)
				n.jicofo(t.Context(), 500)
				n.waitForLog(t, turn, "level=ERROR", `msg="dump failed"`, "service=jicofo", test.reason)
				testbed.Eventually(t, "the span to end", bound, func() bool { return len(n.spans.Ended()) == turn })
			}
			if started := n.logged(`msg="dump started"`) == 2; started != test.starts {
				t.Errorf("the log is wrong about whether it started:\n%s", n.log)
			}
			if n.logged(`msg="dump finished"`) != 0 || n.left("left") != "" {
				t.Errorf("something else happened:\n%s", n.log)
			}
			for _, span := range n.spans.Ended() {
				attributes := attribute.NewSet(span.Attributes()...)
				cause, _ := attributes.Value("signal.error")
				if s := span.Status(); span.Name() != "dump jicofo" || s.Code != codes.Error ||
					!strings.HasPrefix(s.Description, "the script ") || !strings.Contains(cause.AsString(), test.reason) {
					t.Errorf("span %q: %v", span.Name(), s)
				}
			}
			if s := n.Current(); s.Jicofo.Healthy() || s.At.IsZero() {
				t.Errorf("health does not go on: %+v", s)
			}
		})
	}
}
