package e2e

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// finished is a command that has ended.
type finished struct {
	code           int
	stdout, stderr string
}

// sidecarCommand runs the binary with arguments, such as fleet or drain, against a Consul.
func sidecarCommand(t *testing.T, origin string, args ...string) finished {
	t.Helper()
	cmd := exec.Command(testbed.Binary(t), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = vars{"CONSUL_HTTP_ADDR": origin}.Environ()
	p := testbed.Start(t, cmd)
	code := p.Exit(t)
	return finished{code, p.Stdout(), p.Stderr()}
}

// fleetRow is what tests use of a row of fleet --json.
type fleetRow struct {
	Datacenter, Environment, Shard, State, Reason, Weight, Wanted, Release string

	Marks []string
	Audit *struct{ Reason, By string }
}

// fleetList returns the rows of fleet --json and its exit code.
func fleetList(t *testing.T, c *consul, args ...string) (rows []fleetRow, code int) {
	t.Helper()
	f := sidecarCommand(t, c.origin, append([]string{"fleet", "--json"}, args...)...)
	var view struct {
		Shards []fleetRow
	}
	if err := json.Unmarshal([]byte(f.stdout), &view); err != nil {
		t.Fatalf("fleet --json %q: exit code %d: %v\n%s%s", args, f.code, err, f.stdout, f.stderr)
	}
	return view.Shards, f.code
}

// fleet returns the same by shard.
func fleet(t *testing.T, c *consul, args ...string) map[string]fleetRow {
	t.Helper()
	list, _ := fleetList(t, c, args...)
	rows := map[string]fleetRow{}
	for _, row := range list {
		rows[row.Shard] = row
	}
	return rows
}

// set changes the wanted state of shards by a command, drain, ready or maint, which must succeed.
func set(t *testing.T, c *consul, word string, args ...string) {
	t.Helper()
	f := sidecarCommand(t, c.origin, append([]string{word, "--environment", "prod"}, args...)...)
	if f.code != 0 {
		t.Fatalf("%s %s: exit code %d\n%s%s", word, strings.Join(args, " "), f.code, f.stdout, f.stderr)
	}
}
