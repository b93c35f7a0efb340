package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// listener is a listening socket, in blocking mode and out of the runtime's poller.
type listener struct {
	fd   int
	wait time.Duration // SO_RCVTIMEO, as it was set last
}

// Listen opens a port for an Agent: any of the host's addresses, of IPv4 and IPv6 alike, without a host. It is plain TCP:
// Go's listeners speak Multipath TCP where the kernel does, on which Linux ignores SO_RCVTIMEO in accept.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	var plain net.ListenConfig
	plain.SetMultipathTCP(false)
	return plain.Listen(ctx, "tcp", address)
}

// plainTCP returns the listener as what it has to be.
func plainTCP(l net.Listener) (*net.TCPListener, error) {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("%T is not a TCP listener", l)
	}
	protocol, err := control(tcp, func(fd int) (int, error) { return unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL) })
	if err == nil && protocol != unix.IPPROTO_TCP {
		err = errors.New("not plain TCP: open it with agent.Listen")
	}
	return tcp, err
}

// control asks for something about the listener's socket.
func control(l *net.TCPListener, ask func(fd int) (int, error)) (answer int, err error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return 0, err
	}
	var askErr error
	err = raw.Control(func(fd uintptr) { answer, askErr = ask(int(fd)) })
	return answer, errors.Join(err, askErr)
}

// newListener takes the listener's socket over.
func newListener(l *net.TCPListener) (*listener, error) {
	defer l.Close() //nolint:errcheck // the duplicate goes on
	fd, err := control(l, func(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil {
		return nil, fmt.Errorf("duplicate: %w", err)
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &listener{fd: fd}, nil
}

// accept waits for a connection, and returns its socket, which is not in blocking mode. It does not ask for the peer's
// address, which would cost an allocation.
func (l *listener) accept() (int, error) {
	fd, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(l.fd), 0, 0, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// limitWait makes accept end with EAGAIN after d without a connection; 0 lets it wait for ever.
func (l *listener) limitWait(d time.Duration) error {
	if d == l.wait {
		return nil
	}
	l.wait = d
	limit := unix.NsecToTimeval(d.Nanoseconds())
	return os.NewSyscallError("setsockopt", unix.SetsockoptTimeval(l.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit))
}

// wake makes accept end with EINVAL, now and from now on, and closes the port. It may be called from any goroutine.
func (l *listener) wake() { _ = unix.Shutdown(l.fd, unix.SHUT_RDWR) }

func (l *listener) close() { _ = unix.Close(l.fd) }
