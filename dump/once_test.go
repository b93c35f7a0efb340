package dump

import (
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestNeverTwoAtATime checks that a failure while the script still runs is logged and starts nothing, and that the next
// one does.
func TestNeverTwoAtATime(t *testing.T) {
	n := newNode(t, "DIR/dump", "DIR/dump")
	fifo := n.fifo(t, "fifo")
	n.script(t, "dump", "echo began >>DIR/left\nread go <DIR/fifo\necho ended >>DIR/left")
	n.jicofo(t.Context(), 200)
	n.jicofo(t.Context(), 500)
	testbed.Eventually(t, "the script to begin", bound, func() bool { return n.left("left") == "began\n" })

	n.jicofo(t.Context(), 200)
	n.jicofo(t.Context(), 500)
	n.waitForLog(t, 1, "level=WARN", "still running", "service=jicofo")
	if got := len(n.spans.Started()); got != 1 {
		t.Errorf("started %d times", got)
	}
	release(t, fifo)
	n.waitForLog(t, 1, `msg="dump finished"`)
	if got := n.left("left"); got != "began\nended\n" {
		t.Errorf("the script left %q", got)
	}

	n.jicofo(t.Context(), 200)
	n.jicofo(t.Context(), 500)
	testbed.Eventually(t, "the script to begin again", bound,
		func() bool { return n.left("left") == "began\nended\nbegan\n" })
	release(t, fifo)
	n.waitForLog(t, 2, `msg="dump finished"`)
}

// TestAgainRightAfterTheEnd checks that the next failure starts the script once "finished" is logged.
func TestAgainRightAfterTheEnd(t *testing.T) {
	n := newNode(t, "DIR/dump", "")
	n.script(t, "dump", "")
	const turns = 20
	for turn := range turns {
		n.jicofo(t.Context(), 200)
		n.jicofo(t.Context(), 500)
		n.waitForLog(t, turn+1, `msg="dump finished"`)
	}
	if got := n.logged("still running"); got != 0 {
		t.Errorf("%d of %d turns found the script still running after its end", got, turns)
	}
}

// TestServicesDoNotWaitForEachOther checks that jicofo's running script does not prevent the start of prosody's.
func TestServicesDoNotWaitForEachOther(t *testing.T) {
	n := newNode(t, "DIR/jicofo", "DIR/prosody")
	fifo := n.fifo(t, "fifo")
	n.script(t, "jicofo", "echo began >DIR/left\nread go <DIR/fifo")
	n.script(t, "prosody", "")
	n.jicofo(t.Context(), 200)
	n.prosody(t.Context(), 200)
	n.jicofo(t.Context(), 500)
	testbed.Eventually(t, "jicofo's script to begin", bound, func() bool { return n.left("left") != "" })
	n.prosody(t.Context(), 500)
	n.waitForLog(t, 1, `msg="dump finished"`, "service=prosody")
	release(t, fifo)
	n.waitForLog(t, 1, `msg="dump finished"`, "service=jicofo")
}
