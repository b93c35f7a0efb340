package e2e

import (
	"os"
	"os/exec"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// tool is the path of a program that make test-e2e builds, as the variable says.
func tool(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if _, err := os.Stat(path); err != nil {
		testbed.Missing(t, variable+"="+path+" (make test-e2e builds it)")
	}
	return path
}

// output runs a command to its end, which must be a good one, and returns what it printed.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}
