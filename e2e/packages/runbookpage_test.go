package packages

import (
	"slices"
	"strings"
	"testing"
)

// haproxyConfig is the HAProxy of the runbook: the backend signal with the server shard1.
const haproxyConfig = `global
  stats socket /run/haproxy/admin.sock mode 660 level admin
defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
backend signal
  server shard1 shard1:6000 weight 256 agent-check agent-port 6060 agent-inter 1s
`

// TestRunbookPage follows docs/runbook.md on a shard that is up and has a HAProxy in front of it.
func TestRunbookPage(t *testing.T) {
	m := newMachine(t).boot()
	m.write("/etc/haproxy/haproxy.cfg", haproxyConfig)
	m.must("echo 127.0.0.1 shard1 >>/etc/hosts && systemctl start haproxy")
	m.install(one(t, release(t), "*_amd64.deb"))
	settings := lineInFile(m.read(configPath), "CENSUS_POLL=", "CENSUS_POLL=true")
	m.write(configPath, lineInFile(settings, "CENSUS_HOST=", "CENSUS_HOST=meet.example.com"))
	m.write(statusPath, "ready\n")
	m.take("../../recording/testdata/recordings/jicofo_overloaded.jsonl", "/root/recording.jsonl")
	m.simulateNode()
	const server = "signal,shard1,no check,256,via agent : up,L7OK" // HAProxy shows a server without its own check so
	p := m.openPage("runbook.md")
	view := p.commands[slices.IndexFunc(p.commands, func(c string) bool { return strings.HasPrefix(c, "echo 'show stat'") })]
	m.eventually("HAProxy has the reply", view+" | grep '^"+server+"'")

	p.expect("signal-sidecar status", "up ready 100%")
	p.expect("curl -s http://shard1:6000/signal/explain", `"state":"ready"`)
	p.expect("curl -s http://shard1:6000/signal/report", `"healthy":true`)
	p.expect("curl -s 'http://shard1:6000/signal/history?since=15m'", `"changes":[`)
	p.expect("journalctl -t signal-sidecar --since -1h", "verdict changed")
	p.expect("echo 'show stat'", server)
	p.expect("signal-sidecar replay", "up")
	p.expect("signal-sidecar drain", statusPath+": drain (was ready)")
	p.expect("signal-sidecar maint", statusPath+": maint (was drain)")
	p.expect("signal-sidecar ready", statusPath+": ready (was maint)")
	p.expect("curl -i http://shard1:6000/about/health", "HTTP/1.1 200 OK")
	p.expect("signal-sidecar status", "up ready 100%")

	m.must("rm %s && echo other >%[1]s", statusPath)
	p.expect("ls -l", statusPath)
	p.expect("cat -A", "other$")
	p.follow("echo ready", "")
	p.follow("chown", "")
	p.follow("chmod", "")
	m.expectFile(statusPath, "-rw-r--r--", "signal-sidecar:root")
	m.eventually("the shard is ready again", "signal-sidecar status | grep -q '^up ready 100%'")

	p.expect("curl -s 'http://shard1:6000/signal/history?since=1h'", `"changes":[`)
	p.expect("signal-sidecar replay", "up")
	p.expect("curl -i -H 'Host: meet.example.com'", "room_census")
	m.must(`curl --silent --fail --data 'body {"room_census":[{"room_name":"ghost","participants":1,"leaked":true}]}' ` +
		"http://127.0.0.1:8899/prosody/room-census")
	m.eventually("the census has the leaked rooms", "curl -s http://localhost:6000/signal/census | grep -q '\"leaked\":true'")
	p.expect("curl -s http://localhost:6000/signal/census | jq", `"leaked": true`)

	m.must("echo 'disable agent signal/shard1' | socat stdio /run/haproxy/admin.sock")
	p.follow("echo 'enable agent signal/shard1'", "")
	p.expect("echo | nc shard1 6060", "up ready 100%")
	p.follow("echo 'enable agent signal/shard1'", "")
	p.expect("systemctl status signal-sidecar", "active (running)")
	p.expect("journalctl -u signal-sidecar", "verdict changed")
	p.follow("echo 'set server signal/shard1 state maint'", "")
	m.eventually("the next agent check sets the state", view+" | grep '^"+server+"'")
	p.expect("curl -s 'http://shard1:6000/signal/history?since=5m'", `"changes":[`)
	if out := p.follow("ls /proc/$(pidof signal-sidecar)/fd | wc -l", ""); len(strings.TrimSpace(out)) == 0 || strings.HasPrefix(out, "0") {
		t.Errorf("descriptors: %s", out)
	}
	p.expect("ss -s", "TCP:")
	p.expect("ls -l /proc/$(pidof signal-sidecar)/fd", "socket:")
	p.expect("ss -tnp", "State")
	p.expect("journalctl -u signal-sidecar", "verdict changed")
	p.expect("systemctl show signal-sidecar -p NRestarts", "NRestarts=0")
	p.expect("signal-sidecar check-config", "CENSUS_HOST")
	p.expect("curl -i http://localhost:6000/health", "HTTP/1.1 200 OK")
	p.expect("journalctl -u signal-sidecar --since -10m", "verdict changed")
	m.must(`echo '{"message":"panic","stack":"main.go:1"}' | systemd-cat -t signal-sidecar`)
	m.eventually("the journal has the line", "journalctl -t signal-sidecar | grep -q main.go:1")
	p.expect("journalctl -t signal-sidecar --since -1h -o cat | jq", "main.go:1")
	m.must("systemd-run --quiet socat -u TCP:shard1:6000 STDOUT") // an idle client
	m.eventually("a client is connected", "ss -Htn state established '( sport = :6000 )' | grep -q .")
	p.expect("ss -Htn state established", "1 [::ffff:127.0.0.1]")
	p.close(map[string]string{"count by": "a query of Prometheus"})

	completed := m.must(`bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader signal-sidecar
		COMP_WORDS=(signal-sidecar check-config --env-file /etc/jitsi/sig) COMP_CWORD=3; _signal_sidecar; echo "${COMPREPLY[@]}"'`)
	if completed != "/etc/jitsi/signal-sidecar\n" {
		t.Errorf("bash completes %q", completed)
	}
}
