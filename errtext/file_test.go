package errtext_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestFile checks the texts of errors of files.
func TestFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	missing := filepath.Join(folder, "missing")
	_, absent := os.Open(missing)
	_, isFolder := os.ReadFile(folder)
	for err, want := range map[error]string{
		absent:                                 missing + " does not exist",
		isFolder:                               folder + ": is a directory",
		os.Rename(missing, folder+"/to"):       folder + "/to does not exist",
		errors.New("it is older than an hour"): "it is older than an hour",
	} {
		if got := errtext.File(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestListen opens a port that is in use, and one at an address of another machine.
func TestListen(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	testbed.Must(t, err)
	defer l.Close()
	for address, want := range map[string]string{
		l.Addr().String(): l.Addr().String() + " is in use",
		"192.0.2.1:6000":  "192.0.2.1:6000 is not an address of this machine",
	} {
		if _, err := net.Listen("tcp", address); err == nil || errtext.Listen(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestCommand runs programs that cannot be started or fail.
func TestCommand(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for content, want := range map[string]string{
		"#!/bin/sh\nexit 3\n":          "ended with exit code 3",
		"#!/bin/sh\nkill -TERM $$\n":   "was ended by the signal terminated",
		"#!/nonexistent/interpreter\n": "does not exist, or the interpreter in its first line does not",
		"echo without a first line\n":  "has no first line that names its interpreter, such as #!/bin/sh",
	} {
		path := testbed.Write(t, folder, "script", content)
		testbed.Must(t, os.Chmod(path, 0o700))
		if err := exec.Command(path).Run(); err == nil || errtext.Command(err) != want {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
		testbed.Must(t, os.Remove(path))
	}
	path := testbed.Write(t, folder, "not executable", "#!/bin/sh\n")
	if err := exec.Command(path).Run(); err == nil || errtext.Command(err) != "may not be run by the user of the sidecar" {
		t.Errorf("%v", err)
	}
}
