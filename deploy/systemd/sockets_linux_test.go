package systemd_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

var socketFiles = []string{"signal-sidecar-agent.socket", "signal-sidecar-http.socket"}

// checker asks an address without a pause, each time by ask, and remembers the problems.
type checker struct {
	checks   atomic.Int64
	problems []string
}

func checkAlways(ctx context.Context, wait *sync.WaitGroup, ask func() (string, error), want string) *checker {
	c := new(checker)
	wait.Go(func() {
		for ctx.Err() == nil && len(c.problems) < 10 {
			if got, err := ask(); err != nil || got != want {
				c.problems = append(c.problems, fmt.Sprintf("%s %q: %v", time.Now().Format("15:04:05.000"), got, err))
			}
			c.checks.Add(1)
			select { // as HAProxy, but more often
			case <-ctx.Done():
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	return c
}

// TestSocketActivation restarts the service with its socket units again and again. No check is refused, and none gets a
// wrong reply, although the node is in its drain grace.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	m := boot(t, "DRAIN_GRACE_INTERVAL=3600", "HTTP_PORT=6000", "TCP_PORT=6060", "RECOVERY_POLLING_INTERVAL=0.05")
	addresses := map[string]string{}
	for _, name := range socketFiles {
		addresses[name] = testbed.LastingAddress(t)
		unit := contents(t, name)
		before, after, found := strings.Cut(unit, "ListenStream=60")
		if !found {
			t.Fatalf("%s has no port", name)
		}
		m.put("/etc/systemd/system/"+name, "644", before+"ListenStream="+addresses[name]+after[len("00"):])
	}
	m.must("systemctl daemon-reload; systemctl start " + strings.Join(socketFiles, " "))
	agent, web := addresses[socketFiles[0]], addresses[socketFiles[1]]
	if said, err := testbed.Ask(agent); err != nil || said != "up ready 100%\n" { // this starts the service
		t.Fatalf("the first check gets %q, %v", said, err)
	}
	behave(m.node.Jicofo, "code 503")
	testbed.Eventually(t, "the drain", bound, func() bool {
		said, _ := testbed.Ask(agent)
		return said == "up drain 0%\n"
	})

	ctx, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	defer wait.Wait()
	defer stop()
	checkers := []*checker{
		checkAlways(ctx, &wait, func() (string, error) { return testbed.Ask(agent) }, "up drain 0%\n"),
		checkAlways(ctx, &wait, func() (string, error) { return getHealth(web) }, "OK"),
	}
	for range 3 {
		was := m.show("MainPID")
		m.must("systemctl restart signal-sidecar")
		if now := m.show("MainPID"); now == was || m.show("ActiveState") != "active" {
			t.Fatalf("process %s, then %s, and it is %s", was, now, m.show("ActiveState"))
		}
		for _, c := range checkers { // each gets a reply of the new process
			n := c.checks.Load()
			testbed.Eventually(t, "a check", bound, func() bool { return c.checks.Load() > n+2 })
		}
	}
	stop()
	wait.Wait()
	for i, c := range checkers {
		t.Logf("%s: %d checks", socketFiles[i], c.checks.Load())
		if len(c.problems) > 0 {
			t.Errorf("%s: %s", socketFiles[i], strings.Join(c.problems, "\n"))
		}
	}
	if n := len(m.logged("listening on the socket that systemd passed")); n != 8 {
		t.Errorf("%d sockets were passed to 4 processes", n)
	}
}

func getHealth(address string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health", nil)
	if err != nil {
		return "", err
	}
	res, err := testbed.Client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// TestStateAcrossRestarts kills and restarts the service in a drain grace that began with its first process.
func TestStateAcrossRestarts(t *testing.T) {
	t.Parallel()
	m := boot(t, "DRAIN_GRACE_INTERVAL=3600")
	m.must("systemctl start signal-sidecar")
	behave(m.node.Jicofo, "code 503")
	drain := "up drain 0% #jicofo_overloaded: jicofo answered 503: Health check timed out, overloaded"
	m.becomes("StatusText", drain)
	state := func() string { return m.run("cat /run/signal-sidecar/state.json").out }
	testbed.Eventually(t, "the state to be written", bound, func() bool { return strings.Contains(state(), "up drain 0%") })
	m.must("kill -KILL " + m.show("MainPID"))
	m.becomes("NRestarts", "1")
	m.becomes("StatusText", drain)
	m.must("systemctl restart signal-sidecar")
	if status := m.show("StatusText"); status != drain {
		t.Errorf("after a restart: %s", status)
	}
	if n := len(m.logged("state of the previous process is restored")); n != 2 {
		t.Errorf("restored %d times", n)
	}
	m.must("systemctl stop signal-sidecar")
	if r := m.run("ls /run/signal-sidecar"); r.code == 0 {
		t.Errorf("left after a stop: %s", r.out)
	}
}
