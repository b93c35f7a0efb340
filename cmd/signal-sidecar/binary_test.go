package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// result is how a command ended.
type result struct {
	code           int
	stdout, stderr string
}

// problems are the lines on standard error.
func (r result) problems() []string {
	return strings.Split(strings.TrimSuffix(r.stderr, "\n"), "\n")
}

// runIn runs the binary in a folder until it ends by itself.
func runIn(t *testing.T, folder string, v vars, args ...string) result {
	t.Helper()
	return runCommand(t, folder, v, testbed.Binary(t), args...)
}

// run runs the binary in an empty folder until it ends by itself.
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

// sidecar is the running binary.
type sidecar struct {
	*testbed.Process
	http, agent string // addresses
	held        string // address of the held agent port, "" without it
}

// startSidecar runs the binary on free ports of loopback, unless the variables say otherwise, and returns once its ports
// are open.
func startSidecar(t *testing.T, v vars, args ...string) *sidecar {
	t.Helper()
	loopback := vars{"HTTP_ADDR": "127.0.0.1", "TCP_ADDR": "127.0.0.1", "HTTP_PORT": "0", "TCP_PORT": "0"}
	cmd := exec.Command(testbed.Binary(t), args...)
	cmd.Dir, cmd.Env = t.TempDir(), loopback.With(v).Environ()
	s := &sidecar{Process: testbed.Start(t, cmd)}
	s.started(t)
	return s
}

// started waits until the ports are open, and learns where they are.
func (s *sidecar) started(t *testing.T) {
	t.Helper()
	testbed.Eventually(t, "the sidecar to open its ports", bound, func() bool {
		if s.Ended() {
			t.Fatal("the sidecar ended instead of running")
		}
		started := s.logged("signal-sidecar started")
		if len(started) == 0 {
			return false
		}
		s.http, s.agent = fmt.Sprint(started[0]["http"]), fmt.Sprint(started[0]["agent"])
		s.held, _ = started[0]["agent_hold"].(string)
		return true
	})
}

// entry is a line of the log.
type entry map[string]any

// log is what was logged so far.
func (s *sidecar) log() (all []entry) {
	for line := range strings.Lines(s.Stdout()) {
		var e entry
		if json.Unmarshal([]byte(line), &e) == nil {
			all = append(all, e)
		}
	}
	return all
}

// logged returns the lines with the message and the attributes, given as names and values.
func (s *sidecar) logged(message string, attributes ...string) (found []entry) {
	for _, e := range s.log() {
		fits := e["msg"] == message
		for i := 0; fits && i < len(attributes); i += 2 {
			fits = fmt.Sprint(e[attributes[i]]) == attributes[i+1]
		}
		if fits {
			found = append(found, e)
		}
	}
	return found
}
