package e2e

import (
	"os"
	"os/exec"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// tool returns the path of a program that make test-e2e builds, from the environment variable.
func tool(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if _, err := os.Stat(path); err != nil {
		testbed.Missing(t, variable+"="+path+" (make test-e2e builds it)")
	}
	return path
}

// output runs a command, which must succeed, and returns its output.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}
