package testbed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

const module = "github.com/signal-sidecar/signal-sidecar"

// folder holds the binary, "" before it is built.
var folder string

// Main is for the TestMain of a package that uses Binary: it removes the binary in the end, and fails the package when a
// goroutine outlives its test.
func Main(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if folder != "" {
			_ = os.RemoveAll(folder)
		}
		os.Exit(code)
	}))
}

// Binary returns the path of the sidecar's binary. The first test of a package that needs it builds it: static and
// stripped, as make build does.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	Must(t, err)
	return path
}

var build = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if folder, err = os.MkdirTemp("", "signal-sidecar-test-"); err != nil {
		return "", err
	}
	path := filepath.Join(folder, "signal-sidecar")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w",
		"-o", path, "./cmd/signal-sidecar")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return path, nil
})

// moduleRoot is the folder of the product's module, also for the tests of another module.
func moduleRoot() (string, error) {
	out, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("look for the module %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}
