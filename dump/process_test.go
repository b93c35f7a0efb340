package dump

import (
	"context"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestArguments checks that arguments are separated by spaces and that no shell interprets them.
func TestArguments(t *testing.T) {
	n := newNode(t, "DIR/dump  --to $HOME *  'a b' ;reboot ", "")
	n.script(t, "dump", `printf '<%s>' "$@" >DIR/left`)
	n.jicofo(t.Context(), 200)
	n.jicofo(t.Context(), 500)
	n.waitForLog(t, 1, `msg="dump finished"`)
	if got := n.left("left"); got != "<--to><$HOME><*><'a><b'><;reboot>" {
		t.Errorf("the arguments are %s", got)
	}
}

// TestOutlivesTheContext checks that the end of the observation's context, as at shutdown, does not end the script.
func TestOutlivesTheContext(t *testing.T) {
	n := newNode(t, "DIR/dump", "")
	fifo := n.fifo(t, "fifo")
	n.script(t, "dump", "echo began >>DIR/left\nread go <DIR/fifo\necho ended >>DIR/left")
	ctx, cancel := context.WithCancel(t.Context())
	n.jicofo(ctx, 200)
	n.jicofo(ctx, 500)
	testbed.Eventually(t, "the script to begin", bound, func() bool { return n.left("left") == "began\n" })
	cancel()
	release(t, fifo)
	n.waitForLog(t, 1, `msg="dump finished"`)
	if got := n.left("left"); got != "began\nended\n" {
		t.Errorf("the script left %q", got)
	}
}

// TestStartsWithAnEndedContext checks that an ended context does not prevent the start of the script.
func TestStartsWithAnEndedContext(t *testing.T) {
	n := newNode(t, "DIR/dump", "")
	n.script(t, "dump", "echo ran >DIR/left")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n.jicofo(ctx, 200)
	n.jicofo(ctx, 500)
	n.waitForLog(t, 1, `msg="dump finished"`)
	if got := strings.TrimSpace(n.left("left")); got != "ran" {
		t.Errorf("the script left %q", got)
	}
}
