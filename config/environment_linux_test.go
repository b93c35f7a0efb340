package config

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestForbiddenFolder checks that .env in a working directory that the user may not enter counts as missing, unless it
// was named. A file that only cannot be read is an error in both cases.
func TestForbiddenFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	closed, open := t.TempDir(), t.TempDir()
	testbed.Write(t, closed, ".env", "HTTP_PORT=1\n")
	testbed.Write(t, open, ".env", "HTTP_PORT=1\n")
	testbed.Must(t, os.Chmod(closed, 0o700))
	for folder := open; folder != os.TempDir(); folder = filepath.Dir(folder) {
		testbed.Must(t, os.Chmod(folder, 0o755))
	}
	for _, c := range []struct {
		folder string
		named  bool
		fails  bool
	}{{closed, false, false}, {closed, true, true}, {open, false, true}, {open, true, true}} {
		t.Chdir(c.folder)
		result := make(chan error)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			if err := syscall.Setfsuid(65534); err != nil {
				panic(err)
			}
			result <- NewEnvironment(nil).read(".env", c.named)
		}()
		if err := <-result; (err != nil) != c.fails {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
