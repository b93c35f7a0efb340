package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// maxSize limits the file, in bytes. A checkpoint has less than 4 KiB.
	maxSize = 64 << 10
	// readTimeout limits the read at the start, for example if a file server does not reply.
	readTimeout = time.Second
)

// readFile reads a regular file of at most maxSize bytes. It follows no symbolic link and never waits for a writer of a
// pipe.
func readFile(path string) ([]byte, error) {
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := readRegular(path)
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-time.After(readTimeout):
		return nil, fmt.Errorf("not read within %s", readTimeout)
	}
}

func readRegular(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = fmt.Errorf("larger than %d bytes", maxSize)
	}
	return text, err
}

// writeFile replaces a file by rename, so that a reader never sees a part of it. It replaces only a regular file.
func writeFile(path string, text []byte) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")  // package config knows this name
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a process that was killed
		return err
	}
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(temporary) // err is the error that matters
		return err
	}
	return os.Rename(temporary, path)
}
