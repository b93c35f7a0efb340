package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// maxFiles is the number of files of a recording that are kept, the current one included.
const maxFiles = 5

// file is the current file of a recording.
type file struct {
	path    string
	maxSize int64 // bytes

	open *os.File // nil when it must be opened
	info fs.FileInfo
	size int64
}

// prepare makes the file ready for the next step. It rotates a full file, and opens the path again if the current
// file was moved or removed. opened reports whether the file differs from that of the previous step.
func (f *file) prepare() (opened bool, err error) {
	if f.open != nil {
		now, err := os.Lstat(f.path)
		if err == nil && os.SameFile(now, f.info) && f.size < f.maxSize {
			return false, nil
		}
		if err := f.close(); err != nil {
			return false, err
		}
	}
	if err := f.rotate(); err != nil {
		return false, err
	}
	return true, f.append()
}

// rotate renames a full file to number 1. It first renames each older file to the next number.
func (f *file) rotate() error {
	info, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (info.Size() < f.maxSize || !info.Mode().IsRegular()) {
		return nil
	}
	if err != nil {
		return err
	}
	for n := maxFiles - 1; n > 0; n-- {
		if err := os.Rename(f.numbered(n-1), f.numbered(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rotate the recording: %w", err)
		}
	}
	return nil
}

// numbered returns the name of the n-th full file. The newest full file is number 1; 0 is the current file.
func (f *file) numbered(n int) string {
	if n == 0 {
		return f.path
	}
	return f.path + "." + strconv.Itoa(n)
}

// append opens the file for writes at its end.
func (f *file) append() error {
	// Without O_NONBLOCK, the open of a pipe would wait for its reader. A symbolic link is not followed, because it can
	// name a file that has another purpose.
	open, err := os.OpenFile(f.path, //nolint:gosec // for the group that reads logs
		os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0o640)
	if errors.Is(err, syscall.ELOOP) {
		return fmt.Errorf("%s is a symbolic link, which is not followed", f.path)
	}
	if err != nil {
		return err
	}
	info, err := open.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", f.path)
	}
	if err != nil {
		_ = open.Close()
		return err
	}
	f.open, f.info, f.size = open, info, info.Size()
	return f.endLine()
}

// endLine ends a line that a crash or a full disk cut off, so that only that line is lost.
func (f *file) endLine() error {
	if f.size == 0 {
		return nil
	}
	var last [1]byte
	if _, err := f.open.ReadAt(last[:], f.size-1); err != nil {
		return err
	}
	if last[0] == '\n' {
		return nil
	}
	return f.write([]byte("\n"))
}

func (f *file) write(text []byte) error {
	n, err := f.open.Write(text)
	f.size += int64(n)
	return err
}

func (f *file) sync() error { return f.open.Sync() }

// close writes the file to disk and closes it. It does nothing if the file is closed.
func (f *file) close() error {
	if f.open == nil {
		return nil
	}
	err := errors.Join(f.open.Sync(), f.open.Close())
	f.open = nil
	return err
}
