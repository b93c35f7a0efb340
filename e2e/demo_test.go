package e2e

import (
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// demo is the running demo, with its addresses.
type demo struct {
	*testbed.Process
	origin, control, statusPath string
}

var (
	guideOrigin  = regexp.MustCompile(`the status page +(http://\S+)/\n`)
	guideControl = regexp.MustCompile(`curl (http://\S+)/\n`)
	guideStatus  = regexp.MustCompile(`echo drain > (\S+)`)
)

// startDemo returns when the node is up. The command is the binary, or one that runs the binary with the arguments that
// follow.
func startDemo(t *testing.T, settings vars, command ...string) *demo {
	t.Helper()
	command = append(command, testbed.Binary(t), "demo")
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = t.TempDir()
	cmd.Env = vars{"HTTP_PORT": "0", "PAGE_PORT": "0", "TCP_PORT": "0", "POLLING_INTERVAL": "0.2", "LOG_LEVEL": "error",
		"TMPDIR": t.TempDir()}.With(settings).Environ()
	d := &demo{Process: testbed.Start(t, cmd)}
	testbed.Eventually(t, "the demo's guide", bound, func() bool {
		return strings.Contains(d.Stdout(), "End with Ctrl-C") || d.Ended()
	})
	guide := d.Stdout()
	for into, pattern := range map[*string]*regexp.Regexp{&d.origin: guideOrigin, &d.control: guideControl,
		&d.statusPath: guideStatus} {
		m := pattern.FindStringSubmatch(guide)
		if m == nil {
			t.Fatalf("the guide does not say %s:\n%s", pattern, guide)
		}
		*into = m[1]
	}
	testbed.Eventually(t, "the node to be up", bound, func() bool {
		code, _ := testbed.Get(d.origin + "/signal/health")
		return code == http.StatusOK
	})
	return d
}

// command does what the guide describes: curl -d TEXT CONTROL/PATH.
func (d *demo) command(t *testing.T, path, text string) {
	t.Helper()
	testbed.Post(t, d.control+path, text)
}
