package main_test

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// haproxy is a running HAProxy with two backends of the same servers. Backend "checked" also checks the servers'
// service; backend "agent-only" has agent checks only.
type haproxy struct {
	*testbed.Process
	config       string // path
	stats, front string // paths of sockets
	view         *view
}

const haproxyHead = `
global
    stats socket %s mode 600 level admin
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
    timeout queue 5s
%s
frontend users
    bind unix@%s
    default_backend checked
`

// agentOf is a server and its agent. A server with agent-send delays the replies to all servers of the process without
// agent-send by 200 ms, so a HAProxy with both kinds needs a longer agent-inter or a timeout check.
type agentOf struct {
	server  string
	service string // host:port to which HAProxy sends users
	agent   string // host:port
	send    string // agent-send, "" for none
	inter   string // agent-inter, "" for 100ms
}

// haproxyOptions are the options of one HAProxy.
type haproxyOptions struct {
	timeoutCheck string   // "" for none
	metrics      string   // host:port of its own metrics and of /stats (stats:secret), "" for none
	arguments    []string // additional arguments
}

// startHAProxy starts HAProxy and samples its view of the servers from then on.
func startHAProxy(t *testing.T, servers ...agentOf) *haproxy {
	t.Helper()
	return startHAProxyWith(t, haproxyOptions{}, servers...)
}

func startHAProxyWith(t *testing.T, o haproxyOptions, servers ...agentOf) *haproxy {
	t.Helper()
	path := testbed.Component(t, "haproxy")
	folder, err := os.MkdirTemp("", "haproxy-") // a path in t.TempDir is too long for a socket
	testbed.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	h := &haproxy{stats: filepath.Join(folder, "stats"), front: filepath.Join(folder, "front")}
	h.config = write(t, folder, "haproxy.cfg", h.configuration(o, servers))
	if out, err := exec.Command(path, "-c", "-q", "-f", h.config).CombinedOutput(); err != nil {
		t.Fatalf("haproxy -c: %v\n%s\n%s", err, out, testbed.Contents(h.config))
	}
	h.Process = testbed.Start(t, exec.Command(path, append([]string{"-f", h.config, "-db"}, o.arguments...)...))
	testbed.Eventually(t, "HAProxy's statistics", bound, func() bool {
		_, err := h.ask("show info")
		return err == nil
	})
	h.view = h.sample(t)
	return h
}

// configuration returns HAProxy's configuration file.
func (h *haproxy) configuration(o haproxyOptions, servers []agentOf) string {
	var config strings.Builder
	timeoutCheck := ""
	if o.timeoutCheck != "" {
		timeoutCheck = "    timeout check " + o.timeoutCheck
	}
	fmt.Fprintf(&config, haproxyHead, h.stats, timeoutCheck, h.front)
	if o.metrics != "" {
		fmt.Fprintf(&config, "frontend metrics\n    bind %s\n    stats uri /stats\n    stats auth stats:secret\n"+
			"    http-request use-service prometheus-exporter if { path /metrics }\n", o.metrics)
	}
	for backend, check := range map[string]string{"checked": "check inter 200ms", "agent-only": "no-check"} {
		fmt.Fprintf(&config, "backend %s\n    balance roundrobin\n    http-response set-header X-Server %%s\n", backend)
		for _, s := range servers {
			host, port, _ := net.SplitHostPort(s.agent)
			fmt.Fprintf(&config, "    server %s %s weight 100 %s agent-check agent-addr %s agent-port %s agent-inter %s",
				s.server, s.service, check, host, port, cmp.Or(s.inter, "100ms"))
			if s.send != "" {
				fmt.Fprintf(&config, ` agent-send "%s\n"`, s.send)
			}
			config.WriteString("\n")
		}
	}
	return config.String()
}

// ask sends a command to the stats socket and returns the reply.
func (h *haproxy) ask(command string) (string, error) {
	conn, err := net.DialTimeout("unix", h.stats, bound)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(bound))
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// server is a server's row in "show stat".
type server struct{ status, weight, agentStatus, agentText string }

// servers returns the servers of "show stat", by backend/server.
func (h *haproxy) servers() (map[string]server, error) {
	text, err := h.ask("show stat -1 4 -1")
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "# "))).ReadAll()
	if err != nil || len(rows) < 2 {
		return nil, fmt.Errorf("show stat: %q: %w", text, err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	all := map[string]server{}
	for _, row := range rows[1:] {
		of := func(name string) string { return row[column[name]] }
		all[of("pxname")+"/"+of("svname")] = server{
			of("status"), of("weight"), strings.TrimPrefix(of("agent_status"), "* "), of("last_agt"),
		}
	}
	return all, nil
}

// states returns two fields of "show servers state" for a server in backend checked: the operational state (0 is
// stopped, 2 running) and the administrative state (bit 0 is maintenance, bit 3 drain).
func (h *haproxy) states(t *testing.T, name string) (operational, administrative int) {
	t.Helper()
	text, err := h.ask("show servers state checked")
	testbed.Must(t, err)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) > 6 && f[3] == name {
			_, _ = fmt.Sscan(f[5]+" "+f[6], &operational, &administrative)
			return operational, administrative
		}
	}
	t.Fatalf("show servers state says nothing of %s:\n%s", name, text)
	return 0, 0
}

// sampleInterval is shorter than the interval of agent checks, so that samples see what each reply changes.
const sampleInterval = 20 * time.Millisecond

// view samples HAProxy's states of its servers until the test ends, and keeps each change.
type view struct {
	mu      sync.Mutex
	samples int
	latest  map[string]server
	history map[string][]string // status and weight, by backend/server
}

func (h *haproxy) sample(t *testing.T) *view {
	v := &view{history: map[string][]string{}}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(sampleInterval)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if all, err := h.servers(); err == nil {
				v.add(all)
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
	})
	v.settle(t)
	return v
}

func (v *view) add(all map[string]server) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.samples++
	v.latest = all
	for name, s := range all {
		now := s.status + " " + s.weight
		if h := v.history[name]; len(h) == 0 || h[len(h)-1] != now {
			v.history[name] = append(h, now)
		}
	}
}

func (v *view) of(name string) server {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.latest[name]
}

// settle waits for 25 more samples, which takes several intervals of agent checks.
func (v *view) settle(t *testing.T) {
	t.Helper()
	count := func() int {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.samples
	}
	from := count()
	testbed.Eventually(t, "samples of HAProxy's view", bound, func() bool { return count() >= from+25 })
}

// forget removes the history except the current states.
func (v *view) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, h := range v.history {
		v.history[name] = slices.Clone(h[len(h)-1:])
	}
}

// changes returns the servers' histories since the last call of forget.
func (v *view) changes() map[string][]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := map[string][]string{}
	for name, h := range maps.All(v.history) {
		all[name] = slices.Clone(h)
	}
	return all
}

// expectNoChange checks that no state of a server changed since the last call of forget.
func (v *view) expectNoChange(t *testing.T, when string) {
	t.Helper()
	for name, h := range v.changes() {
		if len(h) != 1 {
			t.Errorf("%s: HAProxy's view of %s changed: %q", when, name, h)
		}
	}
}
