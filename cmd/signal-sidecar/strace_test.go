package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// maxCallsOfAReply is what a reply may cost in system calls. It is five when one check follows the other: accept, send,
// end, read what the peer sent, close. Looking after answered connections when nobody comes costs up to four more.
const maxCallsOfAReply = 8

// TestSystemCallsOfAReply counts them while the agent is asked.
func TestSystemCallsOfAReply(t *testing.T) {
	t.Parallel()
	s := newShard(t, vars{"POLLING_INTERVAL": "3600"})
	strace := testbed.Component(t, "strace")
	s.start(t)
	s.becomes(t, "up ready 100%")
	counts := filepath.Join(t.TempDir(), "counts")
	tracer := testbed.Start(t, exec.Command(strace, "-f", "-c", "-U", "calls,name", "-o", counts, "-p", fmt.Sprint(s.Cmd.Process.Pid)))
	testbed.Eventually(t, "strace to attach", bound, func() bool {
		if tracer.Ended() {
			t.Fatal("strace ended")
		}
		return strings.Contains(tracer.Stderr(), "attached")
	})
	const checkers, checks = 4, 300 // each
	var all sync.WaitGroup
	for range checkers {
		all.Go(func() {
			for range checks {
				if said, err := testbed.Ask(s.Agent); said != "up ready 100%\n" || err != nil {
					t.Errorf("the agent says %q, %v", said, err)
					return
				}
			}
		})
	}
	all.Wait()
	tracer.Stop(t, os.Interrupt)
	calls, total := systemCalls(testbed.Contents(counts))
	t.Logf("system calls of %d replies: %v", checkers*checks, calls)
	if calls["sendto"] != checkers*checks || calls["shutdown"] != checkers*checks {
		t.Errorf("%d replies are sent in %d pieces and ended %d times", checkers*checks, calls["sendto"], calls["shutdown"])
	}
	if total > maxCallsOfAReply*checkers*checks {
		t.Errorf("%d system calls for %d replies", total, checkers*checks)
	}
}

// systemCalls reads what strace counted, without the naps of the runtime's monitor, which go by time.
func systemCalls(table string) (calls map[string]int, total int) {
	calls = map[string]int{}
	for line := range strings.Lines(table) {
		var n int
		var name string
		if _, err := fmt.Sscan(line, &n, &name); err != nil || name == "total" || name == "nanosleep" {
			continue
		}
		calls[name] = n
		total += n
	}
	return calls, total
}
