package main_test

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

var (
	healthy = signalnode.Behavior{}
	slow    = signalnode.MustParseBehavior("slow 600ms") // HAProxy gives up on checks in that time
)

// startFleet starts HAProxy with two shards.
func startFleet(t *testing.T, settings vars) (h *haproxy, first, second *shard) {
	t.Helper()
	testbed.Component(t, "haproxy")
	var shards [2]*shard
	for i := range shards {
		shards[i] = startShard(t, settings.With(vars{
			"TCP_PORT": testbed.LastingPort(t), "HTTP_PORT": testbed.LastingPort(t),
		}))
	}
	service := func(s *shard) string { return strings.TrimPrefix(s.Prosody.Origin(), "http://") }
	h = startHAProxy(t,
		agentOf{"first", service(shards[0]), shards[0].Agent, "", ""},
		agentOf{"second", service(shards[1]), shards[1].Agent, "", ""})
	return h, shards[0], shards[1]
}

// expect waits until both backends have the server in a status and with a weight. "no check" is the UP of a server
// without a check. It does not compare the weight of a server under maintenance: HAProxy 2.6 keeps the previous weight,
// 3.0 shows 0.
func (h *haproxy) expect(t *testing.T, name, status, weight string) {
	t.Helper()
	for _, backend := range []string{"checked", "agent-only"} {
		want := status
		if backend == "agent-only" && status == "UP" {
			want = "no check"
		}
		defer func() {
			if t.Failed() {
				t.Logf("%s/%s is %+v", backend, name, h.view.of(backend+"/"+name))
			}
		}()
		testbed.Eventually(t, "HAProxy to see "+backend+"/"+name+" "+want+" "+weight, bound, func() bool {
			s := h.view.of(backend + "/" + name)
			return s.status == want && (s.weight == weight || status == "MAINT")
		})
	}
}

// sendUsers makes n requests and returns the number of replies by server.
func (h *haproxy) sendUsers(t *testing.T, n int) (servers map[string]int) {
	t.Helper()
	users := &http.Client{Timeout: bound, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", h.front)
		}}}
	servers = map[string]int{}
	for range n {
		res, err := users.Get("http://users/http-bind")
		testbed.Must(t, err)
		_ = res.Body.Close()
		servers[res.Header.Get("X-Server")]++
	}
	return servers
}

// TestHAProxyFollows takes the first shard through its states. HAProxy follows each, and the state of the second shard
// does not change.
func TestHAProxyFollows(t *testing.T) {
	t.Parallel()
	h, first, _ := startFleet(t, vars{"WEIGHT_PARTICIPANTS": "true", "PARTICIPANT_MAX": "100"})
	h.expect(t, "first", "UP", "90")
	h.expect(t, "second", "UP", "90")
	h.view.forget()
	const running, stopped, maint, drain = 2, 0, 1, 8
	for _, step := range []struct {
		name                        string
		do                          func()
		status, weight              string
		operational, administrative int
		users                       bool
	}{
		{"empty", func() { first.SetLoad(0, 0) }, "UP", "100", running, 0, true},
		{"half full", func() { first.SetLoad(50, 1) }, "UP", "50", running, 0, true},
		{"drain", func() { first.Say(t, "drain") }, "DRAIN (agent)", "0", running, drain, false},
		{"ready", func() { first.Say(t, "ready") }, "UP", "50", running, 0, true},
		{"maint", func() { first.Say(t, "maint") }, "MAINT", "0", stopped, maint, false},
		{"drain after maint", func() { first.Say(t, "drain") }, "DRAIN (agent)", "0", running, drain, false},
		{"over the maximum", func() {
			first.SetLoad(101, 1) // seen before the file contains ready, else the shard is up for a moment
			testbed.Eventually(t, "the load to be seen", bound, func() bool {
				return first.Metric("signal_jicofo_participants") == "101"
			})
			first.Say(t, "ready")
		}, "DRAIN (agent)", "0", running, drain, false},
		{"empty again", func() { first.SetLoad(0, 0) }, "UP", "100", running, 0, true},
		{"jicofo dies", func() { testbed.Must(t, first.Jicofo.Crash()) }, "DOWN (agent)", "0", stopped, 0, false},
		{"jicofo is back", func() { testbed.Must(t, first.Jicofo.Recover()) }, "UP", "100", running, 0, true},
		{"unhealthy", func() { first.Say(t, "unhealthy") }, "DOWN (agent)", "0", stopped, drain, false},
		{"ready at last", func() { first.Say(t, "ready") }, "UP", "100", running, 0, true},
	} {
		step.do()
		h.expect(t, "first", step.status, step.weight)
		operational, administrative := h.states(t, "first")
		if operational != step.operational || administrative != step.administrative {
			t.Errorf("%s: show servers state: operational %d, administrative %d, want %d and %d",
				step.name, operational, administrative, step.operational, step.administrative)
		}
		users := h.sendUsers(t, 12)
		if users["first"] > 0 != step.users || users["second"] == 0 {
			t.Errorf("%s: users are sent to %v", step.name, users)
		}
	}
	for name, changes := range h.view.changes() {
		if strings.HasSuffix(name, "/second") && len(changes) != 1 {
			t.Errorf("HAProxy's view of %s changed: %q", name, changes)
		}
	}
}

// TestHAProxyFollowsMitigation overloads jicofo: the shard drains for the grace interval, is then down, and its return
// is damped.
func TestHAProxyFollowsMitigation(t *testing.T) {
	t.Parallel()
	h, first, _ := startFleet(t, vars{"HEALTH_DAMPENING_INTERVAL": "1.5", "DRAIN_GRACE_INTERVAL": "2"})
	h.expect(t, "first", "UP", "100")
	h.expect(t, "second", "UP", "100")
	h.view.forget()
	first.jicofo("code 503")
	h.expect(t, "first", "DRAIN (agent)", "0")
	h.expect(t, "first", "DOWN (agent)", "100")
	first.jicofo("healthy")
	testbed.Eventually(t, "the damped return", bound, func() bool {
		return len(first.Logged("verdict changed", "to", "down ready 100%", "damped", "true")) == 1
	})
	h.expect(t, "first", "UP", "100")
	for backend, up := range map[string]string{"checked": "UP 100", "agent-only": "no check 100"} {
		want := []string{up, "DRAIN (agent) 0", "DOWN (agent) 100", up}
		// HAProxy applies the "ready" of "down ready 100%" less than a millisecond before the "down".
		flash := []string{up, "DRAIN (agent) 0", up, "DOWN (agent) 100", up}
		got := slices.DeleteFunc(h.view.changes()[backend+"/first"], onTheWay)
		if !slices.Equal(got, want) && !slices.Equal(got, flash) {
			t.Errorf("HAProxy saw %s/first as %q, want %q", backend, got, want)
		}
	}
}

// onTheWay reports whether a state is temporary, such as "DOWN 1/2": HAProxy shows it for a moment while it applies a
// reply.
func onTheWay(state string) bool { return strings.Contains(state, "/") }

// TestHAProxyKeepsItsViewOverRestarts ends and restarts the sidecar in each state, with a slow prosody at the start.
// HAProxy's states of the servers never change.
func TestHAProxyKeepsItsViewOverRestarts(t *testing.T) {
	t.Parallel()
	h, first, second := startFleet(t, vars{"WEIGHT_PARTICIPANTS": "true", "PARTICIPANT_MAX": "100"})
	second.SetLoad(25, 1)
	h.expect(t, "second", "UP", "75")
	for _, state := range []struct {
		name           string
		enter          func()
		status, weight string
		signal         syscall.Signal
	}{
		{"up", func() { first.SetLoad(50, 1) }, "UP", "50", syscall.SIGKILL},
		{"up", func() {}, "UP", "50", syscall.SIGTERM},
		{"drain", func() { first.Say(t, "drain") }, "DRAIN (agent)", "0", syscall.SIGTERM},
		{"maint", func() { first.Say(t, "maint") }, "MAINT", "0", syscall.SIGKILL},
		{"down", func() { first.Say(t, "ready"); first.jicofo("code 500") }, "DOWN (agent)", "0", syscall.SIGTERM},
		{"up again", func() { first.jicofo("healthy") }, "UP", "50", syscall.SIGTERM},
	} {
		state.enter()
		h.expect(t, "first", state.status, state.weight)
		h.view.forget()
		when := state.name + ", " + state.signal.String()

		for _, s := range []*shard{first, second} {
			_, _ = s.Stop(t, state.signal)
		}
		h.await(t, "HAProxy to miss the agents", func(s server) bool { return s.agentStatus == "L4CON" })
		h.view.settle(t)
		h.view.expectNoChange(t, when+", stopped")

		for _, s := range []*shard{first, second} {
			s.Prosody.Set("/http-bind", slow)
			s.start(t)
		}
		h.await(t, "HAProxy to get replies of the agents again", func(s server) bool {
			return s.agentStatus == "L7OK" || s.agentStatus == "L7STS"
		})
		first.Prosody.Set("/http-bind", healthy)
		second.Prosody.Set("/http-bind", healthy)
		h.view.settle(t)
		h.view.expectNoChange(t, when+", restarted")
	}
}

// await waits until the condition is true for every server in every backend.
func (h *haproxy) await(t *testing.T, what string, condition func(server) bool) {
	t.Helper()
	testbed.Eventually(t, what, bound, func() bool {
		for _, name := range []string{"checked/first", "checked/second", "agent-only/first", "agent-only/second"} {
			if !condition(h.view.of(name)) {
				return false
			}
		}
		return true
	})
}
