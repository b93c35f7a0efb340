package collector

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// fileRig is a rig for a status file. Only the watch detects changes, unless the test sets an Interval.
type fileRig struct {
	*rig
	path string
}

func newFileRig(t *testing.T) fileRig {
	return fileRig{newRig(t), filepath.Join(t.TempDir(), "shard-status")}
}

// start runs the collector.
func (r fileRig) start() (stop func()) {
	r.t.Helper()
	return r.run(NewStatusFile(r.path, r.options))
}

// expect waits for the next observation, which must have that word.
func (r fileRig) expect(word health.Word) *health.StatusFile {
	r.t.Helper()
	got := r.next().StatusFile
	if got.Word() != word || got.Found == (got.Problem != "") {
		r.t.Fatalf("saw %+v, want %s", *got, word)
	}
	return got
}

// await waits for an observation of that word. Only the words in passing may be observed before it.
func (r fileRig) await(word health.Word, passing ...health.Word) {
	r.t.Helper()
	for {
		got := r.next().StatusFile
		if got.Word() == word {
			return
		}
		known := false
		for _, p := range passing {
			known = known || got.Word() == p
		}
		if !known {
			r.t.Fatalf("saw %+v, want %s", *got, word)
		}
	}
}

// write overwrites a file in place.
func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// replace replaces a file by renaming a new one to its path.
func replace(t testing.TB, path, content string) {
	t.Helper()
	write(t, path+".new", content)
	rename(t, path+".new", path)
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t testing.TB, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func symlink(t testing.TB, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// TestStatusWords checks each word in many spellings.
func TestStatusWords(t *testing.T) {
	tests := map[string]health.Word{
		"ready":                                health.WordReady,
		"drain":                                health.WordDrain,
		"maint":                                health.WordMaint,
		"unhealthy":                            health.WordUnhealthy,
		"READY\n":                              health.WordReady,
		"Drain\r\n":                            health.WordDrain,
		"  \t mAiNt \v\f":                      health.WordMaint,
		"\n\n\nunHealthy\n\n":                  health.WordUnhealthy,
		"\xEF\xBB\xBFmaint":                    health.WordMaint,
		"\u00a0ready\u2003":                    health.WordReady,
		"ready" + strings.Repeat(" ", 4<<10-5): health.WordReady,
		"":                                     health.WordUnknown,
		" \n":                                  health.WordUnknown,
		"unknown":                              health.WordUnknown,
		"readyish":                             health.WordUnknown,
		"ready drain":                          health.WordUnknown,
		"ready\ndrain\n":                       health.WordUnknown,
		"rea":                                  health.WordUnknown,
		"\u0085ready":                          health.WordUnknown,
		"ready\x00":                            health.WordUnknown,
		"r\x00e\x00a\x00d\x00y\x00":            health.WordUnknown,
		"\xff\xfe\x80":                         health.WordUnknown,
		"# comment\nready":                     health.WordUnknown,
	}
	for content, word := range tests {
		t.Run(fmt.Sprintf("%.20q", content), func(t *testing.T) {
			t.Parallel()
			r := newFileRig(t)
			write(t, r.path, content)
			r.start()
			got := r.expect(word)
			if !got.Found || !utf8.ValidString(got.Contents) || got.Contents != health.TrimStatus(got.Contents) {
				t.Errorf("saw %+v", *got)
			}
		})
	}
}

// shortLink returns the short path of a link to a folder.
func shortLink(t *testing.T, folder string) string {
	t.Helper()
	short, err := os.MkdirTemp("", "")
	testbed.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	path := filepath.Join(short, "link")
	symlink(t, folder, path)
	return path
}

// TestStatusUnreadable puts things at the path that are no status file. None of them may block the collector.
func TestStatusUnreadable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		make    func(t *testing.T, path string)
		problem string
	}{
		{"missing", func(*testing.T, string) {}, "does not exist"},
		{"over 4 KiB", func(t *testing.T, path string) { write(t, path, "ready"+strings.Repeat("\n", 4<<10-4)) },
			"is larger than 4096 bytes"},
		{"sparse file of 1 GB", func(t *testing.T, path string) {
			write(t, path, "ready")
			if err := os.Truncate(path, 1<<30); err != nil {
				t.Fatal(err)
			}
		}, "is larger than 4096 bytes"},
		{"directory", func(t *testing.T, path string) { mkdir(t, path) }, "is not a regular file (d"},
		{"FIFO", func(t *testing.T, path string) {
			if err := syscall.Mkfifo(path, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "is not a regular file (p"},
		{"device", func(t *testing.T, path string) { symlink(t, "/dev/zero", path) }, "is not a regular file (Dc"},
		{"socket", func(t *testing.T, path string) {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Close(fd)
			short := shortLink(t, filepath.Dir(path)) // the whole path is too long for a socket
			if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: filepath.Join(short, filepath.Base(path))}); err != nil {
				t.Fatal(err)
			}
		}, "is not a regular file (S"},
		{"link to nothing", func(t *testing.T, path string) { symlink(t, "nowhere", path) }, "does not exist"},
		{"link to itself", func(t *testing.T, path string) { symlink(t, filepath.Base(path), path) },
			"too many levels of symbolic links"},
		{"parent is a file", func(t *testing.T, path string) {
			remove(t, filepath.Dir(path))
			write(t, filepath.Dir(path), "")
		}, "not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newFileRig(t)
			tt.make(t, r.path)
			r.start()
			got := r.expect(health.WordUnknown)
			if got.Found || got.Contents != "" || !strings.Contains(got.Problem, tt.problem) ||
				!strings.Contains(got.Problem, r.path) {
				t.Errorf("saw %+v, want a problem that names %s and says %q", *got, r.path, tt.problem)
			}
			// A regular file that comes later is accepted.
			remove(t, filepath.Dir(r.path))
			mkdir(t, filepath.Dir(r.path))
			write(t, r.path, "ready")
			r.await(health.WordReady, health.WordUnknown)
		})
	}
}

// TestStatusForbidden checks that a file without read permission is reported, and read as soon as it is permitted.
func TestStatusForbidden(t *testing.T) {
	r := newFileRig(t)
	if err := os.Chmod(filepath.Dir(filepath.Dir(r.path)), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, r.path, "ready")
	if err := os.Chmod(r.path, 0); err != nil {
		t.Fatal(err)
	}
	c, err := NewStatusFile(r.path, r.options)
	r.run(asNobody(t, c), err)
	if got := r.expect(health.WordUnknown); !strings.Contains(got.Problem, "permission denied") {
		t.Errorf("saw %+v", *got)
	}
	if err := os.Chmod(r.path, 0o444); err != nil {
		t.Fatal(err)
	}
	r.expect(health.WordReady)
}

// TestStatusNeverWaits swaps a regular file and a FIFO without data as fast as possible: one may be there at the Stat,
// and the other at the open.
func TestStatusNeverWaits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, regular, fifo := filepath.Join(dir, "shard-status"), filepath.Join(dir, "regular"), filepath.Join(dir, "fifo")
	write(t, regular, "ready")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	write(t, path, "ready")

	read := make(chan struct{})
	reads := 0
	go func() {
		defer close(read)
		for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); reads++ {
			readStatusFile(path)
		}
	}()
	overdue := time.After(bound)
	for i := 0; ; i++ {
		select {
		case <-read:
			t.Logf("%d reads, %d swaps", reads, i)
			return
		case <-overdue:
			t.Error("a read waits for the FIFO")
			_, _ = writer.WriteString(strings.Repeat("x", 8<<10)) // unblocks the read
			<-read
			return
		default:
		}
		if err := os.Link([]string{regular, fifo}[i%2], path+".new"); err != nil {
			t.Fatal(err)
		}
		rename(t, path+".new", path)
		runtime.Gosched()
	}
}

// FuzzReadStatusFile reads files with arbitrary contents.
func FuzzReadStatusFile(f *testing.F) {
	for _, seed := range []string{
		"", "ready", " DRAIN\r\n", "maint\x00", "\xff", "a\xff\xffb", "unhealthy" + strings.Repeat(" ", 4<<10),
		"\u2028ready\u2029", "\xa0ready", "\ufeffready",
	} {
		f.Add([]byte(seed))
	}
	f.Add(bytes.Repeat([]byte("a\xff"), 2<<10))
	path := filepath.Join(f.TempDir(), "shard-status")
	f.Fuzz(func(t *testing.T, content []byte) {
		write(t, path, string(content))
		got := readStatusFile(path)
		if large := len(content) > 4<<10; got.Found == large || large != (got.Problem != "") {
			t.Fatalf("%d bytes: %+v", len(content), got.StatusFile)
		}
		if !utf8.ValidString(got.Contents) || got.Contents != health.TrimStatus(got.Contents) {
			t.Errorf("contents %q", got.Contents)
		}
		if utf8.Valid(content) && got.Found && got.Contents != health.TrimStatus(string(content)) {
			t.Errorf("contents %q of a file with %q", got.Contents, content)
		}
		if w := got.Word(); w.Known() && !strings.EqualFold(got.Contents, string(w)) &&
			!strings.ContainsRune(got.Contents, 'İ') {
			t.Errorf("%q is taken for %s", got.Contents, w)
		}
	})
}
