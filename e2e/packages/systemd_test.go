package packages

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// bound is how long a test waits for what must happen.
const bound = 60 * time.Second

// boot has systemd run on the machine, in namespaces of its own, the network's too; what is run there then runs beside it.
func (m *machine) boot() *machine {
	t := m.t
	t.Helper()
	for _, name := range []string{"unshare", "nsenter", "ip"} {
		testbed.Component(t, name)
	}
	group, err := os.MkdirTemp(controlGroups(t), "signal-sidecar-test-")
	if err != nil {
		testbed.Missing(t, "a cgroup2 file system that can be written to: "+err.Error())
	}
	t.Cleanup(func() { removeGroup(t, group) })
	folder, err := os.Open(group)
	testbed.Must(t, err)
	defer folder.Close()
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "--cgroup", "--uts", "--ipc", "--net",
		"bash", "testdata/boot.sh", m.root)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, UseCgroupFD: true, CgroupFD: int(folder.Fd())}
	if err := cmd.Start(); err != nil {
		testbed.Missing(t, "namespaces and control groups, to boot systemd in: "+err.Error())
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	testbed.Eventually(t, "systemd to boot", bound, func() bool {
		select {
		case <-ended:
			t.Fatalf("it ended instead: %s", said.String())
		default:
		}
		pids, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
		m.systemd = strings.TrimSpace(string(pids))
		name, _ := os.ReadFile("/proc/" + m.systemd + "/comm")
		out, err := m.run("systemctl is-active basic.target")
		return string(name) == "systemd\n" && err == nil && out == "active\n"
	})
	return m
}

// controlGroups is where the file system of control groups is mounted.
func controlGroups(t *testing.T) string {
	for line := range strings.Lines(contents(t, "/proc/mounts")) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "cgroup2" {
			return fields[1]
		}
	}
	testbed.Missing(t, "a cgroup2 file system")
	return ""
}

// removeGroup removes a control group when all that was in it has ended.
func removeGroup(t *testing.T, path string) {
	testbed.Eventually(t, "what ran on the machine to end", bound, func() bool {
		var folders []string
		_ = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				folders = append(folders, p)
			}
			return nil
		})
		for _, folder := range slices.Backward(folders) {
			_ = syscall.Rmdir(folder)
		}
		_, err := os.Stat(path)
		return os.IsNotExist(err)
	})
}

// TestService has systemd start the service at the installation, restart it at an upgrade, and stop it at the removal.
func TestService(t *testing.T) {
	m := newMachine(t).boot()
	deb := one(t, release(t), "*_amd64.deb")
	running := func(when string) (pid string) {
		t.Helper()
		out, err := m.run("systemctl show --property=ActiveState,MainPID,UnitFileState,User --value signal-sidecar")
		words := strings.Fields(out)
		if err != nil || len(words) != 4 || !slices.Contains(words, "active") || !slices.Contains(words, "enabled") {
			t.Fatalf("%s, systemd says %q, %v\n%s", when, out, err, m.must("journalctl --no-pager --unit=signal-sidecar"))
		}
		// There is no jicofo, so the node is down: exit 1.
		if out, err := m.run("signal-sidecar status"); err == nil || !strings.Contains(out, "down") {
			t.Errorf("%s, the service says %s", when, out)
		}
		return strings.TrimSpace(m.must("systemctl show --property=MainPID --value signal-sidecar"))
	}
	m.install(deb)
	first := running("installed")
	m.install(nextVersion(t, deb))
	if second := running("upgraded"); second == first {
		t.Errorf("upgraded, the process is still %s", first)
	}
	if unread := m.must("systemctl show --property=NeedDaemonReload --value signal-sidecar"); unread != "no\n" {
		t.Errorf("upgraded, systemd has not read the unit: %s", unread)
	}
	m.must("dpkg --remove signal-sidecar")
	if out, err := m.run("systemctl is-active signal-sidecar"); err == nil {
		t.Errorf("removed, the service is %s", out)
	}
	if state := m.must("systemctl show --property=LoadState --value signal-sidecar"); state != "not-found\n" {
		t.Errorf("removed, the unit is %s", state)
	}
	m.install(deb)
	running("installed again")
	m.must("systemctl disable --now signal-sidecar")
	m.install(deb)
	if out, _ := m.run("systemctl is-active signal-sidecar"); out != "inactive\n" {
		t.Errorf("disabled and upgraded, the service is %s", out)
	}
	m.must("dpkg --purge signal-sidecar")
}
