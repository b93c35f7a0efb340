package testbed

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

const module = "github.com/signal-sidecar/signal-sidecar"

// folder is the folder with the binary, "" before it is built.
var folder string

// Main is for the TestMain of a package whose tests use Binary or wait for programs and timers. It runs parallelTests
// tests at a time, removes the binary at the end, and fails the package if a goroutine outlives its test.
func Main(m *testing.M) {
	runParallel()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if folder != "" {
			_ = os.RemoveAll(folder)
		}
		os.Exit(code)
	}))
}

// parallelTests is how many tests of a package run at a time. They mostly wait, so it is more than there are CPUs.
const parallelTests = 8

// runParallel sets the flag -parallel to parallelTests unless it was given.
func runParallel() {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(parallelTests)) // a positive number cannot fail
	}
}

// Binary returns the path of the sidecar's binary, which is static and stripped, as make build makes it. The first test
// of a package that calls Binary runs go build.
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
	shared := sharedPath(root)
	if shared == "" {
		return path, compile(root, path)
	}
	unlock, err := lock(filepath.Dir(shared))
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := compile(root, shared); err != nil {
		return "", err
	}
	return path, linkOrCopy(shared, path)
})

// sharedPath returns the path of the binary that the tests of all packages share, for the module's folder. With it, go
// build links only if something has changed. The path is "" if there is no cache folder.
func sharedPath(root string) string {
	caches, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	key := fmt.Sprintf("%.6x", sha256.Sum256([]byte(root)))
	return filepath.Join(caches, "signal-sidecar", "test-binary-"+key, "signal-sidecar")
}

// lock creates a folder and waits until no other process holds its lock.
func lock(folder string) (unlock func(), err error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, err
	}
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", folder, err)
	}
	return func() { _ = f.Close() }, nil
}

// PackagedFile is where the binary that Binary returns looks for the settings file of the package: in the working
// directory, so that no test depends on a package that is installed on this machine.
const PackagedFile = "packaged/config"

// buildTags matches the tags in the Makefile, which has the flags of all builds.
var buildTags = regexp.MustCompile(`(?m)^TAGS := (\S+)$`)

// compile builds the binary with the flags of make build, so that the packages in Go's build cache serve both.
func compile(root, path string) error {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		return err
	}
	tags := buildTags.FindSubmatch(makefile)
	if tags == nil {
		return errors.New("the Makefile has no TAGS")
	}
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-buildvcs=false", "-tags",
		string(tags[1]), "-ldflags", "-s -w -X "+module+"/config.packagedFile="+PackagedFile, "-o", path,
		"./cmd/signal-sidecar")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// linkOrCopy gives the tests of a package their own name for the binary, because another package's tests may replace
// the shared one.
func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o755) //nolint:gosec // a program
}

// moduleRoot returns the folder of the product's module, also for the tests of another module.
func moduleRoot() (string, error) {
	out, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("look for the module %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}
