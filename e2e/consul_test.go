package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// consul is a running Consul server, alone in its datacenter.
type consul struct {
	*testbed.Process
	origin string // of its HTTP API
	wan    string // address for servers of other datacenters
	args   []string
}

// consulOptions are how a Consul differs from one in memory, without ACLs, in datacenter dc1.
type consulOptions struct {
	datacenter string
	data       string // folder, to keep the contents over a restart; "" keeps them in memory
	config     string // content of a configuration file
	token      string // that may read the leader
}

// startConsul returns when the server is its datacenter's leader.
func startConsul(t *testing.T, o consulOptions) *consul {
	t.Helper()
	port, wan := testbed.LastingPort(t), testbed.LastingPort(t)
	if o.datacenter == "" {
		o.datacenter = "dc1"
	}
	c := &consul{origin: "http://127.0.0.1:" + port, wan: "127.0.0.1:" + wan}
	c.args = []string{
		"agent", "-bind=127.0.0.1", "-client=127.0.0.1", "-node=server-" + o.datacenter, "-datacenter=" + o.datacenter,
		"-http-port=" + port, "-serf-wan-port=" + wan, "-serf-lan-port=" + testbed.LastingPort(t),
		"-server-port=" + testbed.LastingPort(t), "-grpc-port=-1", "-grpc-tls-port=-1", "-dns-port=-1",
		"-disable-host-node-id", "-log-level=warn",
	}
	if o.data == "" {
		c.args = append(c.args, "-dev")
	} else {
		c.args = append(c.args, "-server", "-bootstrap-expect=1", "-data-dir="+o.data, "-hcl=performance { raft_multiplier = 1 }")
	}
	if o.config != "" {
		c.args = append(c.args, "-hcl="+o.config)
	}
	c.start(t, o.token)
	return c
}

// start starts the server again after its end, with the same ports.
func (c *consul) start(t *testing.T, token string) {
	t.Helper()
	cmd := exec.Command(tool(t, "E2E_CONSUL"), c.args...)
	cmd.Env = vars{}.Environ()
	c.Process = testbed.Start(t, cmd)
	testbed.Eventually(t, "Consul to have a leader", bound, func() bool {
		if c.Ended() {
			t.Fatal("Consul ended instead of running")
		}
		code, leader, _, err := httpDo(t.Context(), http.MethodGet, c.origin+"/v1/catalog/nodes", "", token)
		return err == nil && code == http.StatusOK && strings.Contains(leader, "server-")
	})
}

var consulClient = &http.Client{
	Transport: &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: bound}, Timeout: 2 * bound,
}

// httpDo sends one request, with a token unless that is "".
func httpDo(ctx context.Context, method, url, body, token string) (code int, reply string, h http.Header, err error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	if token != "" {
		r.Header.Set("X-Consul-Token", token)
	}
	if len(body) > 64<<10 { // Consul replies to a body that is too large without reading it, and closes the connection
		r.Header.Set("Expect", "100-continue")
	}
	resp, err := consulClient.Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(content), resp.Header, err
}

// call sends a request that must succeed, and returns the reply.
func (c *consul) call(t *testing.T, method, path, body string) string {
	t.Helper()
	return c.callAs(t, "", method, path, body)
}

// callAs is call with a token.
func (c *consul) callAs(t *testing.T, token, method, path, body string) string {
	t.Helper()
	code, reply, _, err := httpDo(t.Context(), method, c.origin+path, body, token)
	testbed.Must(t, err)
	if code != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, code, reply)
	}
	return reply
}

// put sets a key as curl -X PUT -d does.
func (c *consul) put(t *testing.T, key, value string) {
	t.Helper()
	c.call(t, http.MethodPut, "/v1/kv/"+key, value)
}

func (c *consul) delete(t *testing.T, key string) {
	t.Helper()
	c.call(t, http.MethodDelete, "/v1/kv/"+key, "")
}

// value returns a key's value, "" if there is no such key.
func (c *consul) value(t *testing.T, key string) string {
	t.Helper()
	code, reply, _, err := httpDo(t.Context(), http.MethodGet, c.origin+"/v1/kv/"+key+"?raw", "", "")
	testbed.Must(t, err)
	if code != http.StatusOK {
		return ""
	}
	return reply
}

// register registers a shard's instance of service signal on the server's node, as fleets do: without a check.
func (c *consul) register(t *testing.T, id, address string, port int, meta map[string]string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"Name": "signal", "ID": id, "Address": address, "Port": port, "Meta": meta,
	})
	testbed.Must(t, err)
	c.call(t, http.MethodPut, "/v1/agent/service/register", string(body))
}

func (c *consul) deregister(t *testing.T, id string) {
	t.Helper()
	c.call(t, http.MethodPut, fmt.Sprintf("/v1/agent/service/deregister/%s", id), "")
}

// environment is what makes a signal-sidecar command use this Consul.
func (c *consul) environment() vars { return vars{"CONSUL_HTTP_ADDR": c.origin} }
