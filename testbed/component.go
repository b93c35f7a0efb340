package testbed

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// packages names the Debian package of each program that tests run, if it differs from the program's name.
var packages = map[string]string{
	"ip": "iproute2", "man": "man-db", "nsenter": "util-linux", "promtool": "prometheus",
	"qemu-aarch64-static": "qemu-user-static", "qemu-x86_64-static": "qemu-user-static", "setpriv": "util-linux",
	"systemd-analyze": "systemd", "taskset": "util-linux", "unshare": "util-linux",
}

// Component returns the path of a real program. If the program is missing, it calls Missing.
func Component(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name+" (apt-get install "+cmp.Or(packages[name], name)+")")
	}
	return path
}

// Missing skips the test because something is missing, and prints the reason. In CI it fails the test.
func Missing(t testing.TB, what string) {
	t.Helper()
	message := "MISSING COMPONENT: " + what
	if os.Getenv("CI") != "" {
		t.Fatal(message)
	}
	fmt.Fprintln(os.Stderr, message) // shown also without -v
	t.Skip(message)
}
