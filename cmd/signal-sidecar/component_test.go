package main_test

import (
	"os"
	"os/exec"
	"testing"
)

// packages names the Debian package of each program that tests run.
var packages = map[string]string{
	"haproxy": "haproxy", "prometheus": "prometheus", "promtool": "prometheus", "prosody": "prosody",
	"setpriv": "util-linux", "unshare": "util-linux", "strace": "strace",
	"man": "man-db", "mandoc": "mandoc", "bash": "bash", "zsh": "zsh", "fish": "fish",
}

// component returns the path of a real program. Without it the test is skipped, aloud; in CI, where all must be
// installed, it fails.
func component(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	missing(t, name+" (apt-get install "+packages[name]+")")
	return ""
}

// missing skips the test for want of something, aloud; in CI it fails.
func missing(t *testing.T, what string) {
	t.Helper()
	message := "MISSING COMPONENT: " + what
	if os.Getenv("CI") != "" {
		t.Fatal(message)
	}
	t.Skip(message)
}
