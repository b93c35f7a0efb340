package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// The names of the sockets that systemd can pass (FileDescriptorName= of a socket unit).
const (
	SocketHTTP      = "http"
	SocketPage      = "page"
	SocketAgent     = "agent"
	SocketAgentHold = "agent-hold"
)

var socketNames = []string{SocketHTTP, SocketPage, SocketAgent, SocketAgentHold}

// TakeSockets returns the listeners that systemd passed to this process, by name (sd_listen_fds(3)). The map is empty
// without socket activation. Child processes do not inherit the sockets. A socket that the sidecar cannot serve is an
// error that names it, because connections to it would wait for ever.
func TakeSockets() (map[string]net.Listener, error) {
	listeners := map[string]net.Listener{}
	var problems []error
	for _, file := range activation.Files(true) {
		name := file.Name()
		l, err := listenerOf(file)
		_ = file.Close() // the listener has a copy
		switch _, twice := listeners[name]; {
		case !slices.Contains(socketNames, name):
			err = fmt.Errorf("unknown name, must be one of %s (FileDescriptorName=)", strings.Join(socketNames, ", "))
		case err == nil && twice:
			err = errors.New("there are two of this name")
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("socket %q from systemd: %w", name, err))
			if l != nil {
				_ = l.Close()
			}
			continue
		}
		listeners[name] = l
	}
	if err := errors.Join(problems...); err != nil {
		for _, l := range listeners {
			_ = l.Close()
		}
		return nil, err
	}
	return listeners, nil
}

// listenerOf returns the listener of a TCP socket that listens.
func listenerOf(file *os.File) (net.Listener, error) {
	listens, err := unix.GetsockoptInt(int(file.Fd()), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return nil, fmt.Errorf("not a socket: %w", err)
	}
	if listens == 0 {
		return nil, errors.New("it does not listen (ListenStream=, Accept=no)")
	}
	l, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	if _, isTCP := l.(*net.TCPListener); !isTCP {
		_ = l.Close()
		return nil, fmt.Errorf("it is a %s socket, not a TCP socket", l.Addr().Network())
	}
	return l, nil
}
