package main_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

const prosodyConfig = `
modules_enabled = { "roster", "saslauth", "disco", "bosh", "http", "ping", "posix" }
modules_disabled = { "s2s", "tls" }
authentication = "anonymous"
c2s_ports = {}
http_ports = { %[1]s }
http_interfaces = { "127.0.0.1" }
https_ports = {}
http_default_host = "localhost"
consider_bosh_secure = true
c2s_require_encryption = false
log = { info = "*console" }
pidfile = "%[2]s/prosody.pid"
data_path = "%[2]s"
VirtualHost "localhost"
`

// startProsody runs the real prosody with BOSH, as the user prosody, and returns it with its origin.
func startProsody(t *testing.T) (p *testbed.Process, origin string) {
	t.Helper()
	path := testbed.Component(t, "prosody")
	port := testbed.LastingPort(t)
	folder, err := os.MkdirTemp("", "prosody-") // only root can read those of t.TempDir
	testbed.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	testbed.Must(t, os.Chmod(folder, 0o755))
	config := filepath.Join(folder, "prosody.cfg.lua")
	testbed.Must(t, os.WriteFile(config, fmt.Appendf(nil, prosodyConfig, port, folder), 0o644))

	cmd := exec.Command(path, "--config", config, "-F")
	if os.Getuid() == 0 {
		owner, err := user.Lookup("prosody")
		testbed.Must(t, err)
		uid, _ := strconv.Atoi(owner.Uid)
		gid, _ := strconv.Atoi(owner.Gid)
		testbed.Must(t, os.Chown(folder, uid, gid))
		cmd = exec.Command(testbed.Component(t, "setpriv"),
			append([]string{"--reuid", "prosody", "--regid", "prosody", "--init-groups"}, cmd.Args...)...)
	}
	cmd.Dir = folder
	p = testbed.Start(t, cmd)
	origin = "http://127.0.0.1:" + port
	testbed.Eventually(t, "prosody to answer", bound, func() bool {
		code, _ := testbed.Get(origin + "/http-bind")
		return code == http.StatusOK
	})
	return p, origin
}

// TestProsody observes the real prosody while it works, hangs, works again, and is killed.
func TestProsody(t *testing.T) {
	t.Parallel()
	prosody, origin := startProsody(t)
	s := startShard(t, vars{
		"PROSODY_ORIG": origin, "PROBE_TIMEOUT": "1", "HEALTH_DAMPENING_INTERVAL": "0.1", "DRAIN_GRACE_INTERVAL": "60",
	})
	s.becomes(t, "up ready 100%")
	if v := s.report(t).Services; !v.ProsodyHealthy ||
		!v.ProsodyReachable || v.ProsodySoftDown || v.ProsodyStatusCode != http.StatusOK {
		t.Errorf("a healthy prosody is reported as %+v", v)
	}
	s.polls(t, 3, map[string]string{"prosody": "ok"})

	prosody.Signal(t, syscall.SIGSTOP)
	s.becomes(t, "up drain 0%")
	if r := s.report(t); r.Services.ProsodyHealthy || r.Services.ProsodyReachable ||
		!r.Services.ProsodySoftDown || r.Services.ProsodyStatusCode != 0 || !r.HealthDamped {
		t.Errorf("a hanging prosody is reported as %+v", r)
	}
	s.polls(t, 2, map[string]string{"prosody": "timeout"})

	prosody.Signal(t, syscall.SIGCONT)
	s.becomes(t, "up ready 100%")
	if v := s.report(t).Services; !v.ProsodyHealthy || v.ProsodySoftDown {
		t.Errorf("a prosody that goes on is reported as %+v", v)
	}

	_, _ = prosody.Stop(t, syscall.SIGKILL)
	s.becomes(t, "down ready 100%")
	if v := s.report(t).Services; v.ProsodyHealthy || v.ProsodyReachable || v.ProsodySoftDown || !v.JicofoHealthy {
		t.Errorf("a dead prosody is reported as %+v", v)
	}
	s.polls(t, 2, map[string]string{"prosody": "connection_refused", "jicofo_health": "ok"})
}
