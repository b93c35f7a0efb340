// Package packages tests the files that make release builds: that they are the same wherever they are built, and that
// the packages work in a Debian of their own, in a folder that is entered with chroot. The packages of this machine are
// not changed. Run the tests with make test-packages, which sets the folder of that Debian.
package packages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// scratch is the folder in which this run builds its releases.
var scratch string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "signal-sidecar-packages-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = folder
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// release builds the release once, and returns its folder.
func release(t *testing.T) string {
	t.Helper()
	dist, err := firstRelease()
	if err != nil {
		t.Fatal(err)
	}
	return dist
}

var firstRelease = sync.OnceValues(func() (string, error) { return buildRelease("first", "release", "umask 022") })

// buildRelease makes the targets of the current tree in a checkout of its own, after the shell commands in preparation.
func buildRelease(name, targets, preparation string) (string, error) {
	checkout := filepath.Join(scratch, name)
	script := preparation + `
set -e
git clone --quiet --no-checkout ../.. "$CHECKOUT"
git -C ../.. ls-files -z --cached --others --exclude-standard --deduplicate |
	tar --create --directory=../.. --ignore-failed-read --null --files-from=- |
	tar --extract --touch --no-same-permissions --directory="$CHECKOUT"
git -C "$CHECKOUT" reset --quiet
for target in ` + targets + `; do
	make --no-print-directory -C "$CHECKOUT" "$target"
	[ "$target" = release ] || ls "$CHECKOUT"/dist/*_arm64."$target" "$CHECKOUT"/dist/*.aarch64."$target" 2>/dev/null | grep .
done`
	cmd := exec.Command("bash", "-c", script)
	cmd.Env = append(os.Environ(), "CHECKOUT="+checkout, "MAKEFLAGS=", "MAKELEVEL=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the release %s: %w\n%s", name, err, out)
	}
	return filepath.Join(checkout, "dist"), nil
}

// one returns the only file of a folder that matches the pattern.
func one(t *testing.T, folder, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s in %s: %q, %v", pattern, folder, found, err)
	}
	return found[0]
}

// output runs a program that must succeed, and returns its output.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func contents(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	testbed.Must(t, err)
	return string(content)
}
