package systemd_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestEnvironmentFile starts a unit with each file of the table and compares its environment. The tests of check-config
// --env-file use the same table.
func TestEnvironmentFile(t *testing.T) {
	t.Parallel()
	m := boot(t)
	version := 0
	_, err := fmt.Sscanf(m.must("systemctl --version"), "systemd %d", &version)
	testbed.Must(t, err)
	m.put("/etc/systemd/system/environment@.service", "644", `[Service]
Type=oneshot
EnvironmentFile=-/run/files/%i
ExecStart=/usr/bin/env -0
StandardOutput=truncate:/run/results/%i
`)
	m.must("mkdir /run/files /run/results; systemctl daemon-reload")
	cases := testbed.EnvironmentCases(t, "testdata/environment.txt")
	var files strings.Builder
	for i, c := range append(cases, testbed.EnvironmentCase{}) { // the last one shows what every unit has
		fmt.Fprintf(&files, "echo %s | base64 -d >/run/files/%d\n", base64.StdEncoding.EncodeToString([]byte(c.File)), i)
	}
	m.must(files.String())
	m.must(fmt.Sprintf("systemctl start $(seq -f environment@%%g.service 0 %d)", len(cases)))
	result := func(i int) []string {
		all := strings.Split(strings.TrimSuffix(m.must(fmt.Sprintf("cat /run/results/%d", i)), "\x00"), "\x00")
		return slices.DeleteFunc(all, func(v string) bool {
			return strings.HasPrefix(v, "INVOCATION_ID=") || strings.HasPrefix(v, "SYSTEMD_EXEC_PID=") ||
				strings.HasPrefix(v, "MEMORY_PRESSURE_WATCH=") // holds the path of the unit, since systemd 254
		})
	}
	always := result(len(cases))
	for i, c := range cases {
		if version < c.Since {
			continue
		}
		got := slices.DeleteFunc(result(i), func(v string) bool { return slices.Contains(always, v) })
		slices.Sort(got)
		slices.Sort(c.Want)
		if !slices.Equal(got, c.Want) {
			t.Errorf("%q: systemd %d gives %q, want %q", c.File, version, got, c.Want)
		}
	}
}
