package agent

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReplyAllocatesNothing serves one connection after the other, as Run does; the client allocates nothing either.
func TestReplyAllocatesNothing(t *testing.T) {
	r := startAgent(t, setup{config: rules})
	r.upReady()
	if err := r.stop(); err != nil { // its Run has the listener: the test takes its place, with another one
		t.Fatal(err)
	}
	plain, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := plain.Addr().(*net.TCPAddr).Port
	l, err := newListener(plain.(*net.TCPListener))
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	ctx, address, line := t.Context(), &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}, make([]byte, 64)
	wrong := 0
	allocations := testing.AllocsPerRun(1000, func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Connect(fd, address)
		}
		turnErr := r.turn(ctx, l)
		n, readErr := unix.Read(fd, line)
		if err != nil || turnErr != nil || readErr != nil || n != len("up ready 100%\n") {
			wrong++
		}
		_ = unix.Close(fd)
	})
	r.answered.closeAll()
	if wrong > 0 {
		t.Errorf("%d checks went wrong", wrong)
	}
	if allocations != 0 {
		t.Errorf("%v allocations for a reply", allocations)
	}
}
