package main_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestHeldPortLeavesDescriptors opens many connections to the held port of a sidecar that may open few files, and never
// closes them. They use a limited share of the files, and the ordinary port still replies.
func TestHeldPortLeavesDescriptors(t *testing.T) {
	t.Parallel()
	const files, clients = 128, 300
	s := newShard(t, vars{"TCP_HOLD_PORT": "0", "AGENT_HOLD": "60"})
	s.startBy(t, "sh", "-c", fmt.Sprintf("ulimit -n %d; exec %s", files, testbed.Binary(t)))
	// For AGENT_HOLD after a change nothing is held: each client gets its reply and then lingers.
	s.becomes(t, "up ready 100%")
	for range clients {
		conn, err := net.DialTimeout("tcp", s.Held, bound)
		testbed.Must(t, err)
		defer conn.Close()
	}
	if n, most := s.heldConnections(), files/8+files/16+2; n > most {
		t.Errorf("%d connections to the held port are open, want %d at most", n, most)
	}
	s.Say(t, "drain")
	s.becomes(t, "up drain 0%")
	if failed := s.Logged("agent connections are not accepted"); len(failed) > 0 {
		t.Errorf("accepts failed: %v", failed)
	}
}

// TestShareOfDescriptors checks the limits of a sidecar that may open few files: an eighth of them for checks that wait
// for the first verdict, and half of them for connections to the REST server.
func TestShareOfDescriptors(t *testing.T) {
	t.Parallel()
	const files, checks, requests = 160, 40, 100
	s := newShard(t, nil)
	s.jicofo("hang")
	s.startBy(t, "sh", "-c", fmt.Sprintf("ulimit -n %d; exec %s", files, testbed.Binary(t)))

	var replies []<-chan string
	for range checks {
		replies = append(replies, wait(t, s.Agent))
	}
	var waiting []<-chan string
	testbed.Eventually(t, "checks to be sent away", bound, func() bool {
		waiting = nil
		for _, reply := range replies {
			if len(reply) == 0 {
				waiting = append(waiting, reply)
			}
		}
		return len(waiting) == files/8
	})
	s.jicofo("healthy")
	for _, reply := range waiting {
		if got := replyOf(t, reply); got != "up ready 100%\n" {
			t.Errorf("a waiting check got %q", got)
		}
	}

	for range requests {
		conn, err := net.DialTimeout("tcp", s.HTTP, bound)
		testbed.Must(t, err)
		defer conn.Close()
	}
	_, port, _ := net.SplitHostPort(s.HTTP)
	served := func() int { return connections(s.Cmd.Process.Pid, port) }
	testbed.Eventually(t, "REST connections to be accepted", bound, func() bool { return served() >= files/2 })
	s.Becomes(t, "up ready 100%")
	if n := served(); n > files/2+1 { // the server accepts one more, which waits until another one ends
		t.Errorf("%d REST connections are accepted", n)
	}
}

// connections counts the open sockets of a process that are connections to one of its own ports.
func connections(pid int, port string) (n int) {
	open := map[string]bool{}
	folder := fmt.Sprintf("/proc/%d", pid)
	descriptors, _ := filepath.Glob(folder + "/fd/*")
	for _, path := range descriptors {
		target, _ := os.Readlink(path)
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			open[strings.TrimSuffix(inode, "]")] = true
		}
	}
	var number int
	_, _ = fmt.Sscan(port, &number)
	local, listening := fmt.Sprintf(":%04X", number), "0A"
	for line := range strings.Lines(testbed.Contents(folder+"/net/tcp") + testbed.Contents(folder+"/net/tcp6")) {
		f := strings.Fields(line)
		if len(f) > 9 && strings.HasSuffix(f[1], local) && f[3] != listening && open[f[9]] {
			n++
		}
	}
	return n
}

// heldConnections counts the sidecar's open connections on the held agent port.
func (s *sidecar) heldConnections() int {
	_, port, _ := net.SplitHostPort(s.Held)
	return connections(s.Cmd.Process.Pid, port)
}
