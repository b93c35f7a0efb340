package main_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/testbed/node"
)

// deployed are the arguments of HAProxy for the files in deploy/haproxy.
var deployed = map[string][]string{
	"ordinary": {"-f", "../../deploy/haproxy/haproxy.cfg"},
	"held":     {"-f", "../../deploy/haproxy/haproxy-held.cfg", "-f", "../../deploy/haproxy/haproxy.cfg"},
}

// TestHAProxyAcceptsDeployed runs "haproxy -c" on the unchanged files. They are valid, and cause no warning. A name
// that cannot be resolved yet may cause a warning, but must not prevent the start.
func TestHAProxyAcceptsDeployed(t *testing.T) {
	t.Parallel()
	path := testbed.Component(t, "haproxy")
	for name, files := range deployed {
		check := exec.Command(path, append([]string{"-c", "-dW"}, files...)...)
		check.Env = vars{}.Environ()
		// HAProxy 3 prints nothing.
		if out, err := check.CombinedOutput(); err != nil ||
			strings.TrimSpace(string(out)) != "" && string(out) != "Configuration file is valid\n" {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		check = exec.Command(path, append([]string{"-c"}, files...)...)
		check.Env = vars{"SHARD1": "shard1.invalid", "SHARD_TLS": "no-ssl"}.Environ()
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s with an unknown name: %v\n%s", name, err, out)
		}
	}
}

// frontier is a HAProxy with the files in deploy/haproxy, in front of three shards. As in production, the shards differ
// only in their addresses: 127.0.0.1 to 127.0.0.3.
type frontier struct {
	*haproxy
	files    []string // arguments
	settings vars
	shards   map[string]*shard // by HAProxy's name
	users    string            // URL
	metrics  string            // URL
}

func startFrontier(t *testing.T, files []string) *frontier {
	t.Helper()
	testbed.Component(t, "haproxy")
	folder, err := os.MkdirTemp("", "haproxy-") // a path in t.TempDir is too long for a socket
	testbed.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	prosody, agent, held := testbed.LastingPort(t), testbed.LastingPort(t), testbed.LastingPort(t)
	users, metrics := testbed.LastingAddress(t), testbed.LastingAddress(t)
	f := &frontier{shards: map[string]*shard{}, users: "http://" + users, metrics: "http://" + metrics, files: files}
	f.haproxy = &haproxy{stats: filepath.Join(folder, "stats")}
	f.settings = vars{
		"SHARD_PORT": prosody, "SHARD_TLS": "no-ssl", "AGENT_PORT": agent, "AGENT_INTER": "200ms",
		"USERS": users, "METRICS": metrics, "STATS_SOCKET": f.stats,
	}
	if len(files) > 2 {
		f.settings["AGENT_PORT"] = held
		delete(f.settings, "AGENT_INTER") // the file sets its own interval
	}
	for i := range 3 {
		name, address := fmt.Sprintf("shard%d", i+1), fmt.Sprintf("127.0.0.%d", i+1)
		f.shards[name] = startShardAt(t, address, prosody,
			vars{"TCP_ADDR": address, "TCP_PORT": agent, "TCP_HOLD_PORT": held})
		f.settings["SHARD"+name[5:]] = address
	}
	f.run(t)
	f.view = f.sample(t)
	return f
}

// run starts a HAProxy process with the files, the settings and the given arguments.
func (f *frontier) run(t *testing.T, arguments ...string) {
	t.Helper()
	cmd := exec.Command(testbed.Component(t, "haproxy"), append(slices.Concat(f.files, arguments), "-db")...)
	cmd.Env = f.settings.Environ()
	f.Process = testbed.Start(t, cmd)
	testbed.Eventually(t, "HAProxy's statistics", bound, func() bool {
		_, err := f.ask("show info")
		return err == nil || f.Ended()
	})
}

// startShardAt is startShard with prosody at the given address.
func startShardAt(t *testing.T, host, prosodyPort string, settings vars) *shard {
	t.Helper()
	s := shardOf(node.StartAt(t, host+":"+prosodyPort), settings)
	s.start(t)
	return s
}

// sees waits until HAProxy shows the shard with the status. A server that has only an agent check is "no check" when it
// is up.
func (f *frontier) sees(t *testing.T, shard, status string) {
	t.Helper()
	testbed.Eventually(t, "HAProxy to see "+shard+" as "+status, bound, func() bool {
		return f.view.of("signal/"+shard).status == status
	})
}

// visit sends a user's request for a room and returns the shard that replied.
func (f *frontier) visit(t *testing.T, room string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, f.users+"/http-bind?room="+room, nil)
	testbed.Must(t, err)
	req.Header.Set("X-Room", "forged") // HAProxy must not use the users' own header
	res, err := testbed.Client.Do(req)
	testbed.Must(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("room %s: %s", room, res.Status)
	}
	return res.Header.Get("X-Jitsi-Shard")
}

// newRooms visits rooms that did not exist before, and returns the shards that they were sent to.
func (f *frontier) newRooms(t *testing.T, prefix string) map[string]bool {
	t.Helper()
	shards := map[string]bool{}
	for i := range 40 {
		shards[f.visit(t, fmt.Sprintf("%s%d", prefix, i))] = true
	}
	return shards
}

// TestHAProxyAsDeployed drains a shard and takes it down, with the files in deploy/haproxy.
func TestHAProxyAsDeployed(t *testing.T) {
	t.Parallel()
	for name, files := range deployed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFrontier(t, files)
			for shard := range f.shards {
				f.sees(t, shard, "no check")
			}
			if rooms := f.newRooms(t, "first"); len(rooms) != 3 {
				t.Errorf("rooms came to %v, not to all shards", rooms)
			}
			home := f.visit(t, "Standup")
			for range 5 {
				if again := f.visit(t, "standup"); again != home {
					t.Errorf("the room moved from %s to %s", home, again)
				}
			}
			_, latest := f.shards[home].Prosody.Requests("")
			if !slices.ContainsFunc(latest, func(r signalnode.Request) bool { return r.Header.Get("X-Room") == "standup" }) {
				t.Error("the shard did not get the room")
			}

			f.shards[home].Say(t, "drain")
			f.sees(t, home, "DRAIN (agent)")
			if again := f.visit(t, "standup"); again != home {
				t.Errorf("the drain moved the room from %s to %s", home, again)
			}
			if rooms := f.newRooms(t, "second"); rooms[home] {
				t.Errorf("new rooms came to %s, which is drained", home)
			}
			f.shards[home].Say(t, "ready")
			f.sees(t, home, "no check")

			checkDownEndsSessions(t, f, home)
			if code, text := testbed.Get(f.metrics + "/metrics"); code != http.StatusOK ||
				!strings.Contains(text, "haproxy_server_status{") {
				t.Errorf("HAProxy's metrics: %d", code)
			}
			if code, text := testbed.Get(f.metrics + "/"); code != http.StatusOK ||
				!strings.Contains(text, "Statistics Report") {
				t.Errorf("HAProxy's page: %d", code)
			}
		})
	}
}

// checkDownEndsSessions crashes the jicofo of a shard while a user's request to that shard is open.
func checkDownEndsSessions(t *testing.T, f *frontier, home string) {
	shard := f.shards[home]
	shard.Prosody.Set("/room-census", signalnode.MustParseBehavior("hang"))
	ended := make(chan string, 1)
	go func() {
		res, err := testbed.Client.Get(f.users + "/room-census?room=standup")
		if err != nil {
			ended <- err.Error()
			return
		}
		defer res.Body.Close()
		_, err = io.ReadAll(res.Body)
		ended <- fmt.Sprint(res.Status, err)
	}()
	testbed.Eventually(t, "the user's request", bound, func() bool {
		n, _ := shard.Prosody.Requests("/room-census")
		return n > 0
	})
	testbed.Must(t, shard.Jicofo.Crash())
	f.sees(t, home, "DOWN (agent)")
	testbed.Eventually(t, "the end of the user's session", bound/2, func() bool { return len(ended) > 0 })
	if again := f.visit(t, "standup"); again == home {
		t.Errorf("the room is still on %s, which is down", home)
	}
	testbed.Must(t, shard.Jicofo.Recover())
	f.sees(t, home, "no check")
}
