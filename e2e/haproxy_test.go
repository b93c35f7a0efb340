package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// haproxy is a running HAProxy with one backend, signal.
type haproxy struct {
	*testbed.Process
	socket string // path of the statistics socket
	page   string // URL of the statistics as CSV
}

const haproxyConfig = `
global
    stats socket %s mode 600 level admin
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
    timeout check 5s
frontend statistics
    bind %s
    stats enable
    stats uri /
backend signal
    default-server no-check agent-check agent-addr 127.0.0.1 agent-inter 500ms weight 256
`

// startHAProxy starts HAProxy with a server for each shard, by name and address of the agent port.
func startHAProxy(t *testing.T, agents map[string]string) *haproxy {
	t.Helper()
	program := testbed.Component(t, "haproxy")
	folder, err := os.MkdirTemp("", "haproxy-") // a path in t.TempDir is too long for a socket
	testbed.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	address := testbed.LastingAddress(t)
	h := &haproxy{socket: filepath.Join(folder, "stats"), page: "http://" + address + "/;csv"}
	var config strings.Builder
	fmt.Fprintf(&config, haproxyConfig, h.socket, address)
	for name, agent := range agents {
		_, port, err := net.SplitHostPort(agent)
		testbed.Must(t, err)
		fmt.Fprintf(&config, "    server %s 127.0.0.1:9 agent-port %s\n", name, port)
	}
	path := filepath.Join(folder, "haproxy.cfg")
	testbed.Must(t, os.WriteFile(path, []byte(config.String()), 0o600))
	h.Process = testbed.Start(t, exec.Command(program, "-f", path, "-db"))
	testbed.Eventually(t, "HAProxy's statistics", bound, func() bool {
		return !h.Ended() && strings.Contains(h.try("show info"), "Version")
	})
	return h
}

// command sends a command to the statistics socket. A command that changes something replies with nothing.
func (h *haproxy) command(t *testing.T, command string) {
	t.Helper()
	if reply := strings.TrimSpace(h.try(command)); reply != "" {
		t.Fatalf("%s: %s", command, reply)
	}
}

// try returns the reply to a command, or the text of the error.
func (h *haproxy) try(command string) string {
	conn, err := net.DialTimeout("unix", h.socket, bound)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(bound))
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return err.Error()
	}
	reply, err := io.ReadAll(conn)
	if err != nil {
		return err.Error()
	}
	return string(reply)
}
