package consul

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

var words = []health.Word{health.WordReady, health.WordDrain, health.WordMaint, health.WordUnhealthy}

// newStatusFile returns a status file in a new folder.
func newStatusFile(t *testing.T, content string) statusFile {
	t.Helper()
	return statusFile{testbed.Write(t, realFolder(t), "shard-status", content), (*os.File).Sync}
}

// realFolder returns a folder whose path has no symbolic link, as errors have it. That of t.TempDir has one on macOS.
func realFolder(t *testing.T) string {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	testbed.Must(t, err)
	return folder
}

// lock makes the folder of a file, but not the file, read-only for the user that asNobody becomes.
func (s statusFile) lock(t *testing.T) {
	t.Helper()
	folder := filepath.Dir(s.path)
	testbed.Must(t, os.Chmod(filepath.Dir(folder), 0o755)) // of t.TempDir
	testbed.Must(t, os.Chmod(folder, 0o555))
	t.Cleanup(func() { testbed.Must(t, os.Chmod(folder, 0o755)) })
	if os.Geteuid() == 0 {
		testbed.Must(t, os.Chown(s.path, nobodyID, nobodyID))
	}
}

func inode(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	info, err := os.Stat(path)
	testbed.Must(t, err)
	return info.Sys().(*syscall.Stat_t)
}

// TestWrite writes each word over each content, by rename and in place.
func TestWrite(t *testing.T) {
	t.Parallel()
	contents := []string{
		"", "ready", "drain\n", "MAINT\r\n", "unhealthy", "\uFEFFunhealthy\n", strings.Repeat("garbage ", 512),
	}
	for _, locked := range []bool{false, true} {
		for _, content := range contents {
			for _, word := range words {
				s := newStatusFile(t, content)
				if content != "ready" {
					s.sync = func(*os.File) error { return nil }
				}
				testbed.Must(t, os.Chmod(s.path, 0o640))
				if locked {
					s.lock(t)
				}
				before := inode(t, s.path)
				var err error
				asNobody(t, locked, func() { err = s.write(word) })
				after := inode(t, s.path)
				if got := testbed.Contents(s.path); err != nil || strings.TrimRight(got, "\n") != string(word) || s.word() != word {
					t.Errorf("locked %t, %q over %q: %q, error %v", locked, word, content, got, err)
				}
				if (before.Ino == after.Ino) != locked {
					t.Errorf("locked %t: file %d became file %d", locked, before.Ino, after.Ino)
				}
				if before.Mode != after.Mode || before.Uid != after.Uid || before.Gid != after.Gid {
					t.Errorf("locked %t: mode or owner changed from %+v to %+v", locked, before, after)
				}
				if left, err := os.ReadDir(filepath.Dir(s.path)); err != nil || len(left) != 1 {
					t.Errorf("locked %t: the folder contains %v, error %v", locked, left, err)
				}
			}
		}
	}
}

// TestWriteFollowsLinks writes through a symbolic link, which stays one, and creates a missing file.
func TestWriteFollowsLinks(t *testing.T) {
	t.Parallel()
	target := newStatusFile(t, "drain")
	link := statusFile{filepath.Join(t.TempDir(), "link"), (*os.File).Sync}
	testbed.Must(t, os.Symlink(target.path, link.path))
	testbed.Must(t, link.write(health.WordReady))
	info, err := os.Lstat(link.path)
	if err != nil || info.Mode()&os.ModeSymlink == 0 || target.word() != health.WordReady {
		t.Errorf("the link became %v, error %v; the target contains %q", info, err, target.word())
	}
	missing := statusFile{filepath.Join(t.TempDir(), "new"), (*os.File).Sync}
	testbed.Must(t, missing.write(health.WordMaint))
	if missing.word() != health.WordMaint {
		t.Errorf("a new file contains %q", missing.word())
	}
}

func TestWriteFails(t *testing.T) {
	t.Parallel()
	folder := realFolder(t)
	fifo := filepath.Join(folder, "fifo")
	testbed.Must(t, syscall.Mkfifo(fifo, 0o644))
	large := newStatusFile(t, strings.Repeat("x", maxStatusFile+1))
	large.lock(t)
	for path, locked := range map[string]bool{
		folder: false, fifo: false, large.path: true, filepath.Join(folder, "none", "file"): false,
	} {
		s := statusFile{path, (*os.File).Sync}
		var err error
		asNobody(t, locked, func() { err = s.write(health.WordReady) })
		if err == nil || !strings.Contains(err.Error(), filepath.Dir(path)) {
			t.Errorf("%s: error %v", path, err)
		}
		if s.word() != health.WordUnknown {
			t.Errorf("%s contains %q", path, s.word())
		}
	}
}

// TestWriteWaits checks that a write waits for another process that replaces the file, but not for long.
func TestWriteWaits(t *testing.T) {
	t.Parallel()
	s := newStatusFile(t, "ready")
	other, err := os.Open(filepath.Dir(s.path))
	testbed.Must(t, err)
	defer other.Close()
	lock(other)
	start := time.Now()
	if err := s.write(health.WordDrain); err != nil || s.word() != health.WordDrain {
		t.Errorf("the file contains %q, error %v", s.word(), err)
	}
	if waited := time.Since(start); waited < lockTries*time.Millisecond {
		t.Errorf("it waited for %s", waited)
	}
}

// TestReadersSeeWholeWords lets 50 readers read the file while it changes, 1,000 times if in place, between all pairs
// of words. Each reads the old or the new word, whatever the size of its reads is.
func TestReadersSeeWholeWords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		locked  bool
		changes int
		sizes   []int // of the reads, in bytes
		words   []health.Word
	}{
		"by rename": {false, 200, []int{1, 3, 8, 64}, words}, // the file system flushes a file that replaces another
		"in place":  {true, 1000, []int{1, 3, 8, 64}, words},
		// Another user owns the file, so there is no lease: only one read of a word with five letters is safe.
		"without lease": {true, 1000, []int{64}, words[:3]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStatusFile(t, string(words[0])+"\n\n\n")
			s.sync = func(*os.File) error { return nil } // readers do not notice it, and 1,000 take seconds
			if c.locked {
				s.lock(t)
			}
			if len(c.words) == 3 && os.Geteuid() == 0 {
				testbed.Must(t, os.Chown(s.path, 0, 0))
				testbed.Must(t, os.Chmod(s.path, 0o666))
			}
			n := len(c.words)
			history := make([]health.Word, 0, c.changes+1)
			for i := range cap(history) { // each pair of words occurs
				history = append(history, c.words[(i+i/n*(1+i/(n*n)%(n-1)))%n])
			}
			var begun, done atomic.Int64 // changes
			var readers sync.WaitGroup
			for i := range 50 {
				size := c.sizes[i%len(c.sizes)]
				readers.Go(func() { watchWords(t, s.path, size, history, &begun, &done) })
			}
			asNobody(t, c.locked, func() {
				for i, word := range history[1:] {
					begun.Store(int64(i + 1))
					if err := s.write(word); err != nil {
						t.Error(err)
					}
					done.Store(int64(i + 1))
				}
			})
			begun.Store(int64(len(history)))
			readers.Wait()
		})
	}
}

// watchWords reads the file until all of history is done. Each content must be one of the words that the file had
// during the read.
func watchWords(t *testing.T, path string, size int, history []health.Word, begun, done *atomic.Int64) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	reads := 0
	for int(begun.Load()) < len(history) {
		first := done.Load()
		content, err := readBy(path, size)
		last := min(begun.Load(), int64(len(history)-1))
		if word := health.Word(strings.TrimSpace(content)); err != nil || !slices.Contains(history[first:last+1], word) {
			t.Errorf("by %d bytes: read %q, want one of %v, error %v", size, content, history[first:last+1], err)
			return
		}
		reads++
		pause.Reset(rand.N(4 * time.Millisecond))
		<-pause.C
	}
	if reads == 0 {
		t.Error("a reader did not read")
	}
}

func readBy(path string, size int) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var content []byte
	part := make([]byte, size)
	for {
		n, err := f.Read(part)
		content = append(content, part[:n]...)
		if errors.Is(err, io.EOF) {
			return string(content), nil
		}
		if err != nil {
			return "", fmt.Errorf("after %q: %w", content, err)
		}
	}
}
