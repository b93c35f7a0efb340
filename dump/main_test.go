package dump

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long a test waits for something that must happen. No wait takes this long unless the test fails.
const bound = 20 * time.Second

// node is a real monitor with the dumps as its listener, and a directory for scripts and their output.
type node struct {
	*health.Monitor
	dir   string
	log   *testbed.LogBuffer
	spans *tracetest.SpanRecorder
}

// newNode returns a node with the command lines of the dumps. "DIR" in them stands for its directory.
func newNode(t *testing.T, jicofo, prosody string) *node {
	t.Helper()
	n := &node{dir: t.TempDir(), log: new(testbed.LogBuffer), spans: tracetest.NewSpanRecorder()}
	n.Monitor = health.NewMonitor(health.Config{ParticipantMax: 5000, DrainGrace: time.Hour,
		DrainGraceScope: health.ScopeJicofo},
		Listener(Options{
			Jicofo: strings.ReplaceAll(jicofo, "DIR", n.dir), Prosody: strings.ReplaceAll(prosody, "DIR", n.dir),
			TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(n.spans)),
			Logger:         slog.New(slog.NewTextHandler(n.log, nil)),
		}))
	t.Cleanup(func() { // no script outlives its test
		testbed.Eventually(t, "the scripts to end", bound,
			func() bool { return len(n.spans.Ended()) == len(n.spans.Started()) })
	})
	return n
}

// script writes an executable script into the node's directory.
func (n *node) script(t *testing.T, name, text string) {
	t.Helper()
	text = "#!/bin/sh\n" + strings.ReplaceAll(text, "DIR", n.dir) + "\n"
	if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// left returns what scripts wrote into a file of the node's directory, "" if there is none.
func (n *node) left(name string) string {
	text, _ := os.ReadFile(filepath.Join(n.dir, name))
	return string(text)
}

// fifo creates a FIFO for scripts to block on.
func (n *node) fifo(t *testing.T, name string) (path string) {
	t.Helper()
	path = filepath.Join(n.dir, name)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// release unblocks the script that reads from the FIFO.
func release(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0) // does not block, with or without a reader
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) // later, because unread data would be lost with it
}

func (n *node) jicofo(ctx context.Context, code int) {
	n.Observe(ctx, health.Observation{At: time.Now(), Jicofo: &health.Jicofo{Health: health.Answer{Code: code},
		Stats: health.Answer{Code: 200}}})
}

func (n *node) prosody(ctx context.Context, code int) {
	n.Observe(ctx, health.Observation{At: time.Now(), Prosody: &health.Prosody{Health: health.Answer{Code: code}}})
}

// logged counts the log lines that contain all the words.
func (n *node) logged(words ...string) int {
	count := 0
	for line := range strings.Lines(n.log.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			count++
		}
	}
	return count
}

// waitForLog waits for count log lines that contain the words.
func (n *node) waitForLog(t *testing.T, count int, words ...string) {
	t.Helper()
	testbed.Eventually(t, fmt.Sprintf("%d lines with %q", count, words), bound,
		func() bool { return n.logged(words...) >= count })
	if got := n.logged(words...); got != count {
		t.Errorf("%d lines with %q, want %d:\n%s", got, words, count, n.log)
	}
}
