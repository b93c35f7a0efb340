package main_test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestMain fails the package when a goroutine outlives its test.
func TestMain(m *testing.M) { testbed.Main(m) }

// vars are environment variables.
type vars = testbed.Vars

// result is the result of a command that ended.
type result struct {
	code           int
	stdout, stderr string
}

// problems returns the lines of standard error.
func (r result) problems() []string {
	return strings.Split(strings.TrimSuffix(r.stderr, "\n"), "\n")
}

// runIn runs the binary in a folder until it ends.
func runIn(t *testing.T, folder string, v vars, args ...string) result {
	t.Helper()
	return runCommand(t, folder, v, testbed.Binary(t), args...)
}

// run runs the binary in an empty folder until it ends.
func run(t *testing.T, v vars, args ...string) result {
	t.Helper()
	return runIn(t, t.TempDir(), v, args...)
}

func runCommand(t *testing.T, folder string, v vars, path string, args ...string) result {
	t.Helper()
	return runWithin(t, bound, folder, v, path, args...)
}

func runWithin(t *testing.T, limit time.Duration, folder string, v vars, path string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = folder, v.Environ()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out.String(), errOut.String())
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// write writes a file in a folder and returns its path.
func write(t *testing.T, folder, name, content string) string {
	t.Helper()
	return testbed.Write(t, folder, name, content)
}
