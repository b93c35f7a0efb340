package testbed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Systemd is a systemd that was booted for a test, in namespaces of its own.
type Systemd struct {
	PID    string   // its process id outside of its namespaces
	spaces []string // as options of unshare and nsenter
}

// BootSystemd starts a program that becomes systemd, in a control group and namespaces of its own. The parameter spaces
// adds namespaces, as options of unshare, such as --net. BootSystemd returns when systemd has reached its basic target.
// It fails the test if that, or the end of all processes that ran there, takes longer than the bound.
func BootSystemd(t testing.TB, bound time.Duration, spaces []string, program ...string) *Systemd {
	t.Helper()
	unshare := Component(t, "unshare")
	Component(t, "nsenter")
	group, err := os.Open(newControlGroup(t, bound))
	Must(t, err)
	defer group.Close()
	s := &Systemd{spaces: append([]string{"--mount", "--pid", "--cgroup", "--uts", "--ipc"}, spaces...)}
	cmd := exec.CommandContext(context.Background(), unshare,
		append(append([]string{"--fork", "--kill-child"}, s.spaces...), program...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	p, err := start(t, cmd)
	if err != nil {
		Missing(t, "namespaces and control groups, to boot systemd in: "+err.Error())
	}
	children := fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid)
	Eventually(t, "systemd to boot", bound, func() bool {
		if p.Ended() {
			t.Fatal("it ended instead")
		}
		s.PID = strings.TrimSpace(Contents(children))
		return Contents("/proc/"+s.PID+"/comm") == "systemd\n" && s.isUp(bound)
	})
	return s
}

// isUp reports whether systemd has reached its basic target.
func (s *Systemd) isUp(bound time.Duration) bool {
	line := append(s.Enter(), "timeout", fmt.Sprint(int(bound.Seconds())), "systemctl", "is-active", "basic.target")
	cmd := exec.CommandContext(context.Background(), line[0], line[1:]...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin"}
	out, err := cmd.Output()
	return err == nil && string(out) == "active\n"
}

// Enter returns the beginning of a command line: what follows it runs as root in systemd's namespaces.
func (s *Systemd) Enter() []string {
	return append([]string{"nsenter", "--target", s.PID}, s.spaces...)
}
