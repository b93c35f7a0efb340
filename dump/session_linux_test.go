package dump

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOwnSession checks that the script leads its own session, without the sidecar's terminal and standard input.
func TestOwnSession(t *testing.T) {
	n := newNode(t, "DIR/dump", "")
	n.script(t, "dump", "read line && exit 7\necho $$ $(cut -d' ' -f6 /proc/$$/stat) >DIR/left")
	n.jicofo(t.Context(), 200)
	n.jicofo(t.Context(), 500)
	n.waitForLog(t, 1, `msg="dump finished"`)
	var pid, session int
	if _, err := fmt.Sscan(n.left("left"), &pid, &session); err != nil {
		t.Fatalf("%q: %v", n.left("left"), err)
	}
	ours, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	if session != pid || session == ours {
		t.Errorf("process %d is in session %d, the sidecar in %d", pid, session, ours)
	}
}
