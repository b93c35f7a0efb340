package testbed

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var prometheusListens = regexp.MustCompile(`msg="Listening on" (?:component=web )?address=(\S+)`)

// StartPrometheus runs Prometheus with a configuration and further arguments. It returns the address when Prometheus is
// ready.
func StartPrometheus(t testing.TB, config string, arguments ...string) (address string) {
	t.Helper()
	path, folder := Component(t, "prometheus"), t.TempDir()
	file := filepath.Join(folder, "prometheus.yml")
	Must(t, os.WriteFile(file, []byte(config), 0o600))
	cmd := exec.CommandContext(context.Background(), path, append([]string{
		"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(folder, "data"), "--web.listen-address=127.0.0.1:0",
	}, arguments...)...)
	cmd.Dir, cmd.Env = folder, Vars{}.Environ()
	p := Start(t, cmd)
	Eventually(t, "Prometheus to be ready", Bound, func() bool {
		if p.Ended() {
			t.Fatal("Prometheus ended instead of running")
		}
		m := prometheusListens.FindStringSubmatch(p.Stderr())
		if m == nil {
			return false
		}
		address = m[1]
		code, _ := Get("http://" + address + "/-/ready")
		return code == http.StatusOK
	})
	return address
}
