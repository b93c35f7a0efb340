// Package systemd_test tests the unit and its drop-in with the real systemd: by its own checks, and by what becomes of the
// service under a systemd that was booted for it.
package systemd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// bound is how long a test waits for what must happen; none takes as long unless it fails.
const bound = 40 * time.Second

const (
	unitFile   = "signal-sidecar.service"
	dropInFile = "dump-scripts.conf"
)

// buildFolder holds the binary.
var buildFolder string

// TestMain fails the package when a goroutine outlives its test.
func TestMain(m *testing.M) {
	var err error
	if buildFolder, err = os.MkdirTemp("", "signal-sidecar-systemd-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(buildFolder)
		os.Exit(code)
	}))
}

// build builds the binary as make build does, when the first test needs it.
var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildFolder, "signal-sidecar")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", path, "../../cmd/signal-sidecar")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func binary(t *testing.T) string {
	t.Helper()
	path, err := build()
	testbed.Must(t, err)
	return path
}

// write writes a file, with the folders on the way to it, and returns its path.
func write(t *testing.T, path, content string) string {
	t.Helper()
	testbed.Must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	testbed.Must(t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

func contents(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	testbed.Must(t, err)
	return string(content)
}
