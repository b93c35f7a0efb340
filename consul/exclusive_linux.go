package consul

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// exclusiveTries times exclusivePause is how long exclusive waits for other processes to close the file.
	exclusiveTries = 500
	exclusivePause = time.Millisecond
)

// exclusive waits until no other process has the file open and makes those that open it wait until release is called.
// It uses a write lease, which the kernel grants to the owner of a file. If it is not granted in half a second, the
// caller continues without it. An open with O_NONBLOCK does not wait but fails with EWOULDBLOCK.
func exclusive(f *os.File) (release func()) {
	release = func() {}
	connection, err := f.SyscallConn()
	if err != nil {
		return release
	}
	lease := func(kind int) (err error) {
		if controlErr := connection.Control(func(fd uintptr) {
			_, err = unix.FcntlInt(fd, unix.F_SETLEASE, kind)
		}); controlErr != nil {
			return controlErr
		}
		return err
	}
	pause := time.NewTicker(exclusivePause)
	defer pause.Stop()
	for range exclusiveTries {
		switch err := lease(unix.F_WRLCK); {
		case err == nil:
			return func() { _ = lease(unix.F_UNLCK) } // the close that follows ends it too
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			<-pause.C
		default: // not the owner, or the file system has no leases
			return release
		}
	}
	return release
}
