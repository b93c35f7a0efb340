package consul

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	maxStatusFile = 4 << 10 // bytes; a larger file is replaced as a whole or not at all

	// atomicSize is the size of a file that was written in place. The kernel copies 8 aligned bytes at once. So a read
	// during the write of one of the words with five letters returns the old or the new content.
	atomicSize = 8 // bytes

	newFileMode = 0o644

	lockTries = 500
)

// statusFile is the file that the status is written to.
type statusFile struct {
	path string
	sync func(*os.File) error // (*os.File).Sync; tests omit it
}

// word returns the word that the file contains, WordUnknown for any other content and for no file.
func (s statusFile) word() health.Word {
	f, err := os.OpenFile(s.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return health.WordUnknown
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return health.WordUnknown
	}
	content, err := io.ReadAll(io.LimitReader(f, maxStatusFile))
	if err != nil {
		return health.WordUnknown
	}
	return health.ParseWord(string(content))
}

// write writes a word. It replaces the file by rename, or writes in place if the folder is not writable. It follows
// symbolic links.
func (s statusFile) write(word health.Word) error {
	path, err := filepath.EvalSymlinks(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		path, err = s.path, nil
	}
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file (%s)", path, info.Mode().Type())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	renamed := s.replace(path, info, word)
	if renamed == nil {
		return nil
	}
	if info == nil {
		return renamed
	}
	if err := s.writeInPlace(path, word); err != nil {
		return fmt.Errorf("%w (not replaced either: %w)", err, renamed)
	}
	return nil
}

// replace replaces the file by rename. The new one has the mode and the owner of the old one; old is nil for no file.
func (s statusFile) replace(path string, old fs.FileInfo, word health.Word) (err error) {
	folder := filepath.Dir(path)
	d, openErr := os.Open(folder)
	if errors.Is(openErr, fs.ErrNotExist) { // an error that names the folder, not the temporary file
		return openErr
	}
	if openErr == nil {
		defer d.Close()
		lock(d) // until it is closed
		defer func() {
			if err == nil { // the word is in place; a crash may bring the old one back
				_ = s.sync(d)
			}
		}()
	}
	temporary := filepath.Join(folder, "."+filepath.Base(path)+".signal-sidecar") // package config knows this name
	_ = os.Remove(temporary)                                                      // of a process that was killed
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, newFileMode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary)
		}
	}()
	err = errors.Join(s.fill(f, old, word), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary, path) // EBUSY for a file that is a mount point
}

// lock keeps other processes that replace the file, such as signal-sidecar drain, away until the folder is closed: one
// must not rename the unfinished file of another. It waits for lockTries milliseconds at most.
func lock(folder *os.File) {
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	for range lockTries {
		err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a descriptor is small
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return
		}
		<-pause.C
	}
}

func (s statusFile) fill(f *os.File, old fs.FileInfo, word health.Word) error {
	if _, err := f.WriteString(string(word) + "\n"); err != nil {
		return err
	}
	if old != nil {
		if err := keepOwner(f, old); err != nil {
			return err
		}
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	return s.sync(f)
}

// keepOwner gives f the owner and the group of another file.
func keepOwner(f *os.File, old fs.FileInfo) error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	want, okWant := old.Sys().(*syscall.Stat_t)
	have, okHave := now.Sys().(*syscall.Stat_t)
	if !okWant || !okHave || want.Uid == have.Uid && want.Gid == have.Gid {
		return nil
	}
	return f.Chown(int(want.Uid), int(want.Gid))
}

// writeInPlace overwrites the file. While it changes, no other process has it open, where the kernel grants that (see
// exclusive). Otherwise the change itself is one write of the size of the file: a reader that reads the file by one
// system call gets the old or the new content. For "unhealthy", which is longer than atomicSize, it can get bytes of
// both in a window of nanoseconds; those are no known word.
func (s statusFile) writeInPlace(path string, word health.Word) error {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	release := exclusive(f)
	err = overwrite(f, word)
	release()
	return errors.Join(err, s.sync(f))
}

// overwrite changes the content in three steps. After each of them the file contains the old or the new word, and
// white space. So a process that is killed between two of them leaves a complete word.
func overwrite(f *os.File, word health.Word) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := int(info.Size())
	if size > maxStatusFile {
		return fmt.Errorf("%s is larger than %d bytes", f.Name(), maxStatusFile)
	}
	want := max(atomicSize, len(word))
	if size < want {
		if _, err := f.WriteAt(blank(want-size), int64(size)); err != nil {
			return err
		}
	}
	content := append([]byte(word), blank(max(size, want)-len(word))...)
	if _, err := f.WriteAt(content, 0); err != nil {
		return err
	}
	if size > want {
		return f.Truncate(int64(want))
	}
	return nil
}

// blank returns line ends, which a shell removes from the output of a command.
func blank(n int) []byte { return bytes.Repeat([]byte("\n"), n) }
