package packages

import (
	"os"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestUnusualSettingsFile installs the package beside settings files that systemd ignores or reads in part. The
// installation prints what the service makes of the file, and the commands use the same settings as the service.
func TestUnusualSettingsFile(t *testing.T) {
	m := newMachine(t).boot()
	deb := one(t, release(t), "*_amd64.deb")
	m.install(deb)
	const ignored = "systemd ignores " + configPath + ", so signal-sidecar starts with the defaults"
	for name, c := range map[string]struct {
		content  string // "" for no file
		interval string // POLLING_INTERVAL of the service, "" for the default
		printed  string // by the installation
		status   string // a note of signal-sidecar status
	}{
		"missing":   {"", "", configPath + " does not exist, so the service starts with the defaults", ""},
		"not UTF-8": {"POLLING_INTERVAL=7\nLOG_LEVEL=\xff\n", "", ignored, "line 2 is not UTF-8"},
		"NUL":       {"POLLING_INTERVAL=7\nLOG_LEVEL=\x00\n", "", ignored, "line 2 holds a NUL byte"},
		"CRLF":      {"POLLING_INTERVAL=7\r\nLOG_LEVEL=info\r\n", "7", "", "settings of "},
		"mark":      {"\ufeffPOLLING_INTERVAL=7\nLOG_LEVEL=info\n", "", "line 1 has no name of a variable", "settings of "},
		"quotes":    {"POLLING_INTERVAL=\"7\"\nLOG_LEVEL='info'\n", "7", "", "settings of "},
		"twice":     {"POLLING_INTERVAL=6\nPOLLING_INTERVAL=7\n", "7", "", "settings of "},
		"export":    {"export POLLING_INTERVAL=7\n", "", "line 1 has no name of a variable", "settings of "},
	} {
		testbed.Must(t, os.RemoveAll(m.path(configPath)))
		if c.content != "" {
			m.write(configPath, c.content)
		}
		out := m.install(deb)
		if !strings.Contains(out, c.printed) || strings.Contains(out, "will not start") ||
			c.printed == "" && strings.Contains(out, "signal-sidecar: ") {
			t.Errorf("%s: dpkg: %s", name, out)
		}
		service := m.must("tr '\\0' '\\n' </proc/$(systemctl show --property=MainPID --value signal-sidecar)/environ")
		if got := strings.Contains("\n"+service, "\nPOLLING_INTERVAL="+c.interval+"\n"); got != (c.interval != "") {
			t.Errorf("%s: the service has %s", name, service)
		}
		out, _ = m.run("signal-sidecar status")
		if !strings.Contains(out, c.status) || !strings.Contains(out, "down drain") {
			t.Errorf("%s: status: %s", name, out)
		}
	}
}
