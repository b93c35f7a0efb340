// Package systemd_test tests the unit and its drop-in with the real systemd: with its static checks, and with the
// service running under a systemd that was booted for the test.
package systemd_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// bound limits every wait of a test. A wait takes this long only if it fails.
const bound = 40 * time.Second

const (
	unitFile   = "signal-sidecar.service"
	dropInFile = "dump-scripts.conf"
)

// TestMain fails the package when a goroutine outlives its test.
func TestMain(m *testing.M) { testbed.Main(m) }

// write writes a file, creates its folders, and returns its path.
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
