package main_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestWithoutDescriptors fills a sidecar that may open few files with held connections: the failed accepts are told once,
// and when the connections are gone, all is as before.
func TestWithoutDescriptors(t *testing.T) {
	t.Parallel()
	s := newShard(t, vars{"TCP_HOLD_PORT": "0", "AGENT_HOLD": "1", "POLLING_INTERVAL": "3600"})
	s.startBy(t, "sh", "-c", "ulimit -n 48; exec "+testbed.Binary(t))
	s.becomes(t, "up ready 100%")
	var replies []<-chan string
	testbed.Eventually(t, "accepts to fail", bound, func() bool {
		replies = append(replies, wait(t, s.Held))
		return len(s.Logged("agent connections are not accepted")) > 0
	})
	for _, reply := range replies {
		if said := heard(t, reply); said != "up ready 100%\n" {
			t.Errorf("said %q", said)
		}
	}
	testbed.Eventually(t, "the held port to have no connection left", bound, func() bool { return s.heldConnections() == 0 })
	s.becomes(t, "up ready 100%")
	if said := heard(t, wait(t, s.Held)); said != "up ready 100%\n" {
		t.Errorf("the held port says %q", said)
	}
	failed, again := s.Logged("agent connections are not accepted"), s.Logged("agent connections are accepted again")
	if len(failed) != len(again) {
		t.Errorf("%d rows of failures, %d ends:\n%s", len(failed), len(again), fmt.Sprint(failed, again))
	}
}

// TestShareOfDescriptors: of the files that a sidecar may open, an eighth may be checks that wait for the first verdict, and
// half connections to the REST server.
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
		if said := heard(t, reply); said != "up ready 100%\n" {
			t.Errorf("who waited is told %q", said)
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
	if n := served(); n != files/2 {
		t.Errorf("%d REST connections are accepted", n)
	}
}
