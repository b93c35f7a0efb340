package testbed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newControlGroup creates a control group. It is removed when all processes in it have ended.
func newControlGroup(t testing.TB, bound time.Duration) (path string) {
	t.Helper()
	path, err := os.MkdirTemp(controlGroups(t), "signal-sidecar-test-")
	if err != nil {
		Missing(t, "a cgroup2 file system that can be written to: "+err.Error())
	}
	t.Cleanup(func() {
		Eventually(t, "what ran on the machine to end", bound, func() bool {
			var folders []string
			_ = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
				if err == nil && e.IsDir() {
					folders = append(folders, p)
				}
				return nil
			})
			for _, folder := range slices.Backward(folders) {
				_ = syscall.Rmdir(folder)
			}
			_, err := os.Stat(path)
			return errors.Is(err, fs.ErrNotExist)
		})
	})
	return path
}

// controlGroups returns the path at which the cgroup2 file system is mounted.
func controlGroups(t testing.TB) string {
	t.Helper()
	for line := range strings.Lines(Contents("/proc/mounts")) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "cgroup2" {
			return fields[1]
		}
	}
	Missing(t, "a cgroup2 file system")
	return ""
}
