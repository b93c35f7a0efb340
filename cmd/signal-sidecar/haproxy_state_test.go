package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

const haproxyFile = "../../deploy/haproxy/haproxy.cfg"

// stateFiles returns the arguments of a configuration in which the lines of haproxy.cfg about the state file are
// enabled, and the path of the state file.
func stateFiles(t *testing.T, files []string, folder string) (arguments []string, state string) {
	t.Helper()
	state = filepath.Join(folder, "server-state")
	config := testbed.Contents(haproxyFile)
	for line, inForce := range map[string]string{
		"    # server-state-file /var/lib/haproxy/server-state\n": "    server-state-file " + state + "\n",
		"    # load-server-state-from-file global\n":              "    load-server-state-from-file global\n",
	} {
		if strings.Count(config, line) != 1 {
			t.Fatalf("%s has not one line %q", haproxyFile, line)
		}
		config = strings.Replace(config, line, inForce, 1)
	}
	path := write(t, folder, "haproxy.cfg", config)
	for _, argument := range files {
		arguments = append(arguments, strings.Replace(argument, haproxyFile, path, 1))
	}
	return arguments, state
}

// saveState runs the command of deploy/haproxy/reload.conf that writes the state file.
func (h *haproxy) saveState(t *testing.T, state string) {
	t.Helper()
	testbed.Component(t, "socat")
	const program = "ExecReload=/bin/bash -o pipefail -c '"
	_, script, found := strings.Cut(testbed.Contents("../../deploy/haproxy/reload.conf"), program)
	script, _, closed := strings.Cut(script, "'\n")
	if !found || !closed {
		t.Fatalf("no line %s", program)
	}
	cmd := exec.Command("bash", "-o", "pipefail", "-c", script)
	cmd.Env = append(os.Environ(), "STATE="+state, "STATS="+h.stats)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// ports returns the service port and the agent port that HAProxy uses for a server.
func (f *frontier) ports(t *testing.T, shard string) (service, agent string) {
	t.Helper()
	text, err := f.ask("show servers state signal")
	testbed.Must(t, err)
	for line := range strings.Lines(text) {
		if w := strings.Fields(line); len(w) == 25 && w[3] == shard {
			return w[18], w[24]
		}
	}
	t.Fatalf("show servers state has no %s:\n%s", shard, text)
	return "", ""
}

// TestHAProxyKeepsStateOverReload replaces HAProxy's process while no agent replies. With the state file, the new
// process starts with each server in its previous state. It uses a new agent port of the configuration, but not a new
// service port. The agents' next replies change the states as usual.
func TestHAProxyKeepsStateOverReload(t *testing.T) {
	t.Parallel()
	for name, files := range deployed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arguments, state := stateFiles(t, files, t.TempDir())
			f := startFrontier(t, arguments)
			f.shards["shard1"].Say(t, "drain")
			f.shards["shard2"].Say(t, "maint")
			testbed.Must(t, f.shards["shard3"].Jicofo.Crash())
			status := map[string]string{"shard1": "DRAIN (agent)", "shard2": "MAINT", "shard3": "DOWN (agent)"}
			for shard, want := range status {
				f.sees(t, shard, want)
			}
			for _, s := range f.shards {
				_, _ = s.Stop(t, syscall.SIGTERM)
			}

			f.saveState(t, state)
			before := f.settings
			f.settings = before.With(vars{"AGENT_PORT": testbed.LastingPort(t), "SHARD_PORT": testbed.LastingPort(t)})
			old := f.Process
			f.run(t, "-sf", fmt.Sprint(old.Cmd.Process.Pid))
			old.Exit(t)
			f.view.settle(t)
			for shard, want := range status {
				// Only the first word: DOWN has no "(agent)" until the agent's first reply.
				if got := f.view.of("signal/" + shard).status; strings.Fields(got)[0] != strings.Fields(want)[0] {
					t.Errorf("after the reload %s is %s, before it was %s", shard, got, want)
				}
				service, agent := f.ports(t, shard)
				if agent != f.settings["AGENT_PORT"] {
					t.Errorf("the agent port of %s is %s; the new configuration has %s", shard, agent, f.settings["AGENT_PORT"])
				}
				if service != before["SHARD_PORT"] {
					t.Errorf("the port of %s is %s: docs/haproxy.md says that the state file's, %s, is in force",
						shard, service, before["SHARD_PORT"])
				}
			}

			f.settings = before
			f.saveState(t, state)
			old = f.Process
			f.run(t, "-sf", fmt.Sprint(old.Cmd.Process.Pid))
			old.Exit(t)
			testbed.Must(t, f.shards["shard3"].Jicofo.Recover())
			for shard, s := range f.shards {
				s.Say(t, "ready")
				s.start(t)
				f.sees(t, shard, "no check")
			}
		})
	}
}

// TestHAProxyAgentSend checks what docs/haproxy.md describes about agent-send. With agent-inter 100ms and no timeout
// check, the replies are in time when all servers have agent-send and when none has. A server without it next to a
// server with it gets no reply in time.
func TestHAProxyAgentSend(t *testing.T) {
	t.Parallel()
	testbed.Component(t, "haproxy")
	s := startShard(t, nil)
	service := strings.TrimPrefix(s.Prosody.Origin(), "http://")
	for _, tt := range []struct{ name, first, second, want string }{
		{"none", "", "", "L7OK"}, {"all", "a", "b", "L7OK"}, {"one", "a", "", "L7TOUT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := startHAProxy(t,
				agentOf{"first", service, s.Agent, tt.first, ""},
				agentOf{"second", service, s.Agent, tt.second, ""})
			testbed.Eventually(t, "the check of the second server to be "+tt.want, bound, func() bool {
				return h.view.of("agent-only/second").agentStatus == tt.want
			})
		})
	}
}
