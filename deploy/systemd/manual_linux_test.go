package systemd_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// manualMachine has, at their default ports, everything that the commands of the documentation use: the service, jicofo
// and prosody (simulated), HAProxy with deploy/haproxy/haproxy.cfg, and a stand-in for Consul.
const manualMachine = `
ip link set lo up
echo '127.0.0.1 localhost shard1 lb1 lb2' >/etc/hosts
cp /usr/bin/signal-sidecar /usr/bin/signal-node # a name of its own, for pidof
unit() { printf '[Service]\nExecStart=/usr/bin/signal-node %s\n' "$2" >"/etc/systemd/system/$1.service"; }
unit jicofo 'simulate --prosody-addr 127.0.0.1:15280'
unit prosody 'simulate --jicofo-addr 127.0.0.1:18888 --control-addr 127.0.0.1:8898'
unit consul 'demo --fleet 3 --http-port 0 --tcp-port 0'
mkdir -p /etc/haproxy /etc/systemd/system/haproxy.service.d /run/haproxy /var/lib/haproxy
cat >/etc/systemd/system/haproxy.service.d/test.conf <<END
[Service]
BindReadOnlyPaths=
Environment=SHARD1=127.0.0.1 SHARD2=127.0.0.1 SHARD3=127.0.0.1 SHARD_PORT=5280 SHARD_TLS=no-ssl
Environment=USERS=127.0.0.1:8080 AGENT_INTER=100ms
END
echo nameserver 127.0.0.1 >/etc/resolv.conf
ln -s /etc/jitsi/signal-sidecar /root/packaged # the tests' binary reads the packaged settings at packaged/config
systemctl daemon-reload
systemctl start jicofo prosody signal-sidecar consul haproxy
`

// manualFiles are the files that the commands use, with their places on the machine.
var manualFiles = map[string]string{
	"../haproxy/haproxy.cfg": "/etc/haproxy/haproxy.cfg",
	"../haproxy/reload.conf": "/root/reload.conf",
	dropInFile:               "/usr/share/doc/signal-sidecar/examples/systemd/" + dropInFile,
	socketFiles[0]:           "/usr/lib/systemd/system/" + socketFiles[0],
	socketFiles[1]:           "/usr/lib/systemd/system/" + socketFiles[1],
	"../../recording/testdata/recordings/jicofo_overloaded.jsonl": "/root/recording.jsonl",
}

func bootManual(t *testing.T) *machine {
	t.Helper()
	for _, program := range []string{"ip", "haproxy", "socat", "jq", "curl", "top", "ss"} {
		testbed.Component(t, program)
	}
	m := bootIn(t, []string{"--net"}, "HTTP_PORT=6000", "TCP_PORT=6060", "HTTP_ADDR=", "TCP_ADDR=", "JICOFO_ORIG=",
		"PROSODY_ORIG=", "PROBE_TIMEOUT=0.5", "CENSUS_POLL=true", "CENSUS_HOST=meet.example.com",
		"RECORD_PATH=/var/lib/signal-sidecar/recording.jsonl", "LOG_FORMAT=json")
	for from, to := range manualFiles {
		m.put(to, "644", contents(t, filepath.FromSlash(from)))
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("HAProxy:\n%s", m.run("journalctl --no-pager --lines=30 --unit=haproxy").out)
		}
	})
	m.must(manualMachine)
	m.isUp()
	m.eventually("HAProxy to check the agent", "echo 'show stat' | socat stdio /run/haproxy/admin.sock",
		"signal,shard1,.*L7OK")
	return m
}

// eventually waits until the output of the script matches.
func (m *machine) eventually(what, script, match string) {
	m.t.Helper()
	var r result
	defer func() {
		if m.t.Failed() {
			m.t.Logf("%s: %s", script, r.out)
		}
	}()
	expression := regexp.MustCompile(match)
	testbed.Eventually(m.t, what, bound, func() bool {
		r = m.run(script)
		return expression.MatchString(r.out)
	})
}

// isUp waits until the shard is up and ready.
func (m *machine) isUp() {
	m.t.Helper()
	m.eventually("the shard to be up", "signal-sidecar status", "(?m)^up ready")
}

// block is a block of shell commands in a page, without its indentation.
type block struct{ section, text string }

var shellFence = regexp.MustCompile("(?ms)^( *)```sh\n(.*?)^ *```$|^##+ ([^\n]*)$")

// shellBlocks returns the blocks of a page in docs/, in order.
func shellBlocks(t *testing.T, page string) (blocks []block) {
	t.Helper()
	section := ""
	for _, found := range shellFence.FindAllStringSubmatch(contents(t, "../../docs/"+page), -1) {
		if found[3] != "" {
			section = found[3]
			continue
		}
		text := strings.TrimPrefix(strings.ReplaceAll("\n"+found[2], "\n"+found[1], "\n"), "\n")
		blocks = append(blocks, block{section, text})
	}
	return blocks
}

// mistaken matches what programs print about a command line that is wrong.
var mistaken = regexp.MustCompile(
	`(?i)not found\n|(unknown|invalid|unrecognized) (option|command|argument|key)|usage:|syntax error`)

// play runs a block as root. It returns the output and the exit code of the last command.
func (m *machine) play(page string, b block) result {
	m.t.Helper()
	r := m.run("set +eu; cd /root\n" + b.text)
	if found := mistaken.FindString(r.out); found != "" {
		m.t.Errorf("%s, %s: %s\n%s\n%s", page, b.section, found, b.text, r.out)
	}
	return r
}

// failure is a failure that a section of the runbook is about.
type failure struct {
	section string
	cause   string // shell commands that cause it
	shows   string // the reason in "signal-sidecar status" then, or what else status prints; "" if it still is up
	finds   string // matches the output of the section's commands
	cure    string // shell commands that repair it, "" if those of the section do
}

// failures are run in order. A section with several failures is run for each.
var failures = []failure{
	{"Cloudprober pages: check signal-sidecar logs", jicofo("", "code 503"), "jicofo_overloaded",
		"503(?s:.*)Signal-Reason: jicofo_overloaded", jicofo("", "recover")},
	{"SignalShardDown", jicofo("", "code 500"), "jicofo_unhealthy", "No operational bridges", jicofo("", "recover")},
	{"jicofo_overloaded", jicofo("", "code 503"), "jicofo_overloaded", "HTTP/1.1 503", jicofo("", "recover")},
	{"jicofo_timeout", jicofo("", "hang"), "jicofo_timeout", "", ""},
	{"jicofo_unreachable", "systemctl stop jicofo", "jicofo_unreachable", "Active: (inactive|failed)(?s:.*)onnect", ""},
	{"jicofo_unhealthy", jicofo("/about/health", "code 500"), "jicofo_unhealthy",
		`No operational bridges(?s:.*)"operational_bridge_count": \d`, jicofo("", "recover")},
	{"jicofo_health_off", jicofo("/about/health", "code 404"), "jicofo_health_off", "", jicofo("", "recover")},
	{"jicofo_stats_failed", jicofo("/stats", "code 404"), "jicofo_stats_failed", "HTTP/1.1 404", jicofo("", "recover")},
	{"jicofo_stats_invalid", jicofo("/stats", `body {"participants":1}`), "jicofo_stats_invalid", "1\nnull",
		jicofo("", "recover")},
	{"jicofo_stats_invalid", jicofo("/stats", "notjson"), "jicofo_stats_invalid", "parse error", jicofo("", "recover")},
	{"prosody_timeout", prosody("", "hang"), "prosody_timeout", "timed out", prosody("", "recover")},
	{"prosody_unreachable", "systemctl stop prosody", "prosody_unreachable", "Active: (inactive|failed)(?s:.*)onnect",
		"systemctl start prosody"},
	{"prosody_unreachable", prosody("", "reset"), "reset the connection", "Active: active", prosody("", "recover")},
	{"prosody_unreachable", prosody("", "garbage"), "sent no valid HTTP reply", "Active: active", prosody("", "recover")},
	{"prosody_unreachable", prosody("", "redirect loop"), "redirected more than 5 times", "Location: ",
		prosody("", "recover")},
	{"prosody_unhealthy", prosody("", "code 404"), "prosody_unhealthy", "HTTP/1.1 404", prosody("", "recover")},
	{"status_unhealthy", "echo unhealthy >/etc/jitsi/shard-status", "status_unhealthy", "", "signal-sidecar ready"},
	{"status_maint", "signal-sidecar maint", "status_maint", "", "signal-sidecar ready"},
	{"status_drain", "signal-sidecar drain", "status_drain", "", "signal-sidecar ready"},
	{"participants_max", "curl -s -d '6000 300' localhost:8899/load", "participants_max", "",
		"curl -s -d '10 3' localhost:8899/load"},
	{"SignalStatusFileUnusable", "rm /etc/jitsi/shard-status", "status_file_unreadable", "No such file or directory", ""},
	{"SignalStatusFileUnusable", "echo reddy >/etc/jitsi/shard-status", "status_unknown", `reddy\$`, ""},
	{"SignalShardForgotten", "signal-sidecar drain", "status_drain",
		"the status file says drain, since (?s:.*)signal-sidecar jitsi(?s:.*)WANTED",
		"signal-sidecar ready"},
	{"SignalProbeFailing", prosody("", "reset"), "prosody_unreachable", `0,"connection_reset"`, prosody("", "recover")},
	{"SignalProbeSlow", prosody("", "slow 200ms"), "", `replied after 0\.[2-9]`, prosody("", "recover")},
	{"SignalCensusFailing", prosody("/room-census", "code 404"), "", "HTTP/1.1 404", prosody("", "recover")},
	{"SignalHAProxyNotAsking", "echo 'disable agent signal/shard1' | socat stdio /run/haproxy/admin.sock", "",
		"signal,shard1,(?s:.*)up ready 100%", ""},
	{"SignalHAProxyDisagrees", "echo 'disable agent signal/shard1; set server signal/shard1 state maint' | " +
		"socat stdio /run/haproxy/admin.sock", "", "signal,shard1,MAINT(?s:.*)up ready 100%", ""},
	{"SignalSidecarMissing", "systemctl stop signal-sidecar", "unknown", "Active: (inactive|failed)(?s:.*)HTTP_PORT", ""},
	{"SignalProbesNotMade", "prlimit --pid $(pidof signal-sidecar) --nofile=8:8", "unknown",
		"local_resources(?s:.*)too many open files(?s:.*)Max open files *8 ", "systemctl restart signal-sidecar"},
	{"SignalSidecarRestarting", "systemctl kill --signal=KILL signal-sidecar; sleep 2", "",
		"NRestarts=1(?s:.*)status=9/KILL", ""},
	{"SignalTelemetryFailing", setting("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9",
		"OTEL_METRIC_EXPORT_INTERVAL=200", "OTEL_BSP_SCHEDULE_DELAY=200"), "", "telemetry export began to fail",
		unset("OTEL_")},
	{"SignalRecordingFailing", "mount -t tmpfs -o size=64k full /var/lib/signal-sidecar; " +
		"! cat /dev/zero >/var/lib/signal-sidecar/other; systemctl restart signal-sidecar", "",
		"recording fails(?s:.*)100%",
		"systemctl stop signal-sidecar; umount /var/lib/signal-sidecar; systemctl start signal-sidecar"},
	{"SignalSettingsNotInForce", setting("HA_PORT=7000"), "", "notice: .*HA_PORT", unset("HA_PORT")},
}

func jicofo(path, behavior string) string {
	return fmt.Sprintf("curl -s -d '%s' localhost:8899/jicofo%s", behavior, path)
}

func prosody(path, behavior string) string {
	return fmt.Sprintf("curl -s -d '%s' localhost:8898/prosody%s", behavior, path)
}

// setting adds lines to the settings and restarts the service.
func setting(lines ...string) string {
	return fmt.Sprintf("printf '%s\\n' >>/etc/jitsi/signal-sidecar/config; systemctl restart signal-sidecar",
		strings.Join(lines, `\n`))
}

// unset removes settings and restarts the service.
func unset(prefix string) string {
	return "sed -i '/^" + prefix + "/d' /etc/jitsi/signal-sidecar/config; systemctl restart signal-sidecar"
}

// TestRunbook causes the failures that the runbook is about, and does what its sections print. The commands of the
// other sections run on a shard that is up.
func TestRunbook(t *testing.T) {
	t.Parallel()
	m := bootManual(t)
	sections := map[string][]block{}
	for _, b := range shellBlocks(t, "runbook.md") {
		sections[b.section] = append(sections[b.section], b)
	}
	played := map[string]bool{}
	for _, f := range failures {
		m.must(f.cause)
		if f.shows != "" {
			m.eventually(f.section+" to show "+f.shows, "signal-sidecar status", f.shows)
		}
		m.find(f, sections[f.section])
		if f.cure != "" {
			m.must(f.cure)
		}
		m.isUp()
		played[f.section] = true
	}
	for section, blocks := range sections {
		for _, b := range blocks {
			if played[section] {
				continue
			}
			if r := m.play("runbook.md", b); r.code != 0 {
				t.Errorf("%s: exit %d\n%s\n%s", section, r.code, b.text, r.out)
			}
		}
	}
}

// find plays the blocks until their output shows the failure.
func (m *machine) find(f failure, blocks []block) {
	m.t.Helper()
	out, match := "", regexp.MustCompile(f.finds)
	defer func() {
		if m.t.Failed() {
			m.t.Logf("%s after %s: the commands do not find %s:\n%s", f.section, f.cause, f.finds, out)
		}
	}()
	testbed.Eventually(m.t, "the commands of "+f.section+" to find "+f.finds, bound, func() bool {
		out = ""
		for _, b := range blocks {
			out += m.play("runbook.md", b).out
		}
		return match.MatchString(out)
	})
}

// commandPages are the other pages whose shell commands are run, with what the output of some of them matches, by the
// beginning of the block.
var commandPages = map[string]map[string]string{
	"haproxy.md": {
		"echo 'disable agent": "^\n*$",
		"echo 'enable agent":  "^\n*$",
		"echo 'show stat'":    "signal,shard1,no check,256,.*L7OK",
	},
	"systemd.md": {
		"systemd-analyze security": "Overall exposure level for signal-sidecar.service: 1.1 OK",
		"journalctl":               "T.*Z up ready 100%",
	},
}

// beforehand has what the reader has done before a block, by the beginning of the block.
var beforehand = map[string]string{
	"rm /var/lib/haproxy/server-state": "systemctl reload haproxy",
	"systemd-analyze security":         "systemctl start signal-sidecar",
}

// interactive matches blocks that cannot run here: an editor, and a connection to another machine.
var interactive = regexp.MustCompile(`^(systemctl edit|ssh) `)

// TestCommandPages runs the shell commands of the pages, in order, on a shard that is up.
func TestCommandPages(t *testing.T) {
	t.Parallel()
	m := bootManual(t)
	for page, outputs := range commandPages {
		found := map[string]bool{}
		for _, b := range shellBlocks(t, page) {
			if interactive.MatchString(b.text) {
				continue
			}
			for prefix, script := range beforehand {
				if strings.HasPrefix(b.text, prefix) {
					m.must(script)
				}
			}
			r := m.play(page, b)
			if r.code != 0 {
				t.Errorf("%s, %s: exit %d\n%s\n%s", page, b.section, r.code, b.text, r.out)
			}
			for prefix, match := range outputs {
				if strings.HasPrefix(b.text, prefix) {
					found[prefix] = true
					m.eventually(page+": the output of "+prefix, b.text, match) // HAProxy notices at its next check
				}
			}
		}
		if len(found) != len(outputs) {
			t.Errorf("%s has only %v", page, found)
		}
	}
}
