//go:build !portable

package agent

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReplyAndEndLeaveTogether counts the segments received: SYN-ACK, and one with the reply and FIN. The network may
// repeat a segment, so not every connection must show this.
func TestReplyAndEndLeaveTogether(t *testing.T) {
	r := startAgent(t, setup{config: rules})
	r.upReady()
	const checks = 40
	together := 0
	for range checks {
		conn := r.dial(t)
		if got := readReply(t, conn); got != "up ready 100%\n" {
			t.Fatalf("got %q", got)
		}
		info := tcpInfo(t, conn)
		if info.Segs_in == 0 {
			t.Skip("the kernel does not count segments")
		}
		if info.Segs_in == 2 && info.Data_segs_in == 1 {
			together++
		}
		conn.Close()
	}
	if together < checks/2 {
		t.Errorf("reply and FIN came together %d times of %d", together, checks)
	}
}

func tcpInfo(t *testing.T, conn *net.TCPConn) *unix.TCPInfo {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	var infoErr error
	if err := raw.Control(func(fd uintptr) {
		info, infoErr = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}); err != nil {
		t.Fatal(err)
	}
	if infoErr != nil {
		t.Skipf("TCP_INFO: %v", infoErr)
	}
	return info
}
