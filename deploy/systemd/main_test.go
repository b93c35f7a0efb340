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
	must(t, err)
	return path
}

// packages names the Debian package of each program that tests run.
var packages = map[string]string{
	"nsenter": "util-linux", "setpriv": "util-linux", "strace": "strace", "sudo": "sudo", "systemd-analyze": "systemd", "unshare": "util-linux",
}

// component returns the path of a real program. Without it the test is skipped, aloud; in CI, where all must be
// installed, it fails.
func component(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name+" (apt-get install "+packages[name]+")")
	}
	return path
}

func missing(t *testing.T, what string) {
	t.Helper()
	message := "MISSING COMPONENT: " + what
	if os.Getenv("CI") != "" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// must fails the test with the error, if there is one.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until the condition holds, and fails the test when it does not within the bound.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	limit := time.NewTimer(bound)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond) // most conditions start a process
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("waited %s in vain for %s", bound, what)
		}
	}
}

// write writes a file, with the folders on the way to it, and returns its path.
func write(t *testing.T, path, content string) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

func contents(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	return string(content)
}
