package faults_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// vanish closes a connection without a FIN or RST, as a machine does that loses its power.
func vanish(t *testing.T, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	testbed.Must(t, err)
	testbed.Must(t, raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, 1)
	}))
	if err != nil {
		testbed.Missing(t, "the right to use TCP_REPAIR: "+err.Error())
	}
	_ = c.Close()
}

// exhaust lowers the limit of the sidecar's file descriptors to those that are open, and leaves a check waiting.
func exhaust(t *testing.T, s *shard) {
	t.Helper()
	open, err := filepath.Glob("/proc/" + strconv.Itoa(s.Cmd.Process.Pid) + "/fd/*")
	testbed.Must(t, err)
	s.limitFiles(t, func(l *unix.Rlimit) { l.Cur = uint64(len(open)) / 2 })
	s.eventually(t, "a check without a reply", func() bool {
		s.waiting = dial(t, s.Agent)
		return len(s.Logged("agent connections are not accepted")) > 0
	})
}

// relieve raises the limit again. The waiting check is answered.
func relieve(t *testing.T, s *shard) {
	t.Helper()
	s.limitFiles(t, func(l *unix.Rlimit) { l.Cur = l.Max })
	expectReply(t, s.waiting)
	s.eventually(t, "the log line about the recovery", func() bool {
		return len(s.Logged("agent connections are accepted again")) > 0
	})
}

func (s *shard) limitFiles(t *testing.T, change func(*unix.Rlimit)) {
	t.Helper()
	var limit unix.Rlimit
	testbed.Must(t, unix.Prlimit(s.Cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &limit))
	change(&limit)
	testbed.Must(t, unix.Prlimit(s.Cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil))
}

// hang makes a folder one of a file server that does not reply: each access of it waits. The returned function makes it
// the folder that it was.
func hang(t *testing.T, folder string) (end func()) {
	t.Helper()
	device, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		testbed.Missing(t, "FUSE: "+err.Error())
	}
	options := "rootmode=40000,user_id=0,group_id=0,allow_other,fd=" + strconv.Itoa(device)
	if err := unix.Mount("none", folder, "fuse", unix.MS_NODEV|unix.MS_NOSUID, options); err != nil {
		_ = unix.Close(device)
		testbed.Missing(t, "the right to mount a FUSE file system: "+err.Error())
	}
	ended := false
	end = func() {
		if !ended {
			ended = true
			_ = unix.Close(device) // ends the accesses that wait
			testbed.Must(t, os.NewSyscallError("umount", unix.Unmount(folder, unix.MNT_DETACH)))
		}
	}
	t.Cleanup(end)
	return end
}
