package main_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// passed is a socket that a parent process passes as systemd does.
type passed struct {
	name string
	file *os.File
}

// fileOf returns a copy of a socket's descriptor.
func fileOf[T interface{ File() (*os.File, error) }](t *testing.T, socket any, err error) *os.File {
	t.Helper()
	testbed.Must(t, err)
	file, err := socket.(T).File()
	testbed.Must(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// activated returns a command that runs the sidecar with these sockets.
func activated(t *testing.T, v vars, sockets ...passed) *exec.Cmd {
	t.Helper()
	binary := testbed.Binary(t) // before the time limit, because this may build it
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "sh", "-c", `LISTEN_PID=$$ exec "$0"`, binary)
	var names []string
	for _, s := range sockets {
		names, cmd.ExtraFiles = append(names, s.name), append(cmd.ExtraFiles, s.file)
	}
	cmd.Dir = t.TempDir()
	cmd.Env = append(testbed.Loopback.With(v).Environ(), "LISTEN_FDS="+string(rune('0'+len(sockets))),
		"LISTEN_FDNAMES="+strings.Join(names, ":"))
	return cmd
}

// TestBadSockets checks that a socket that the sidecar cannot serve is an error that names it.
func TestBadSockets(t *testing.T) {
	t.Parallel()
	tcp := func() *os.File {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		testbed.Must(t, err)
		defer l.Close()
		return fileOf[*net.TCPListener](t, l, nil)
	}
	packet, err := net.ListenPacket("udp", "127.0.0.1:0")
	testbed.Must(t, err)
	defer packet.Close()
	local, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	testbed.Must(t, err)
	defer local.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	testbed.Must(t, err)
	defer listener.Close()
	connected, err := net.Dial("tcp", listener.Addr().String())
	testbed.Must(t, err)
	defer connected.Close()
	plain, err := os.Open("/dev/null")
	testbed.Must(t, err)
	defer plain.Close()
	for _, c := range []struct {
		sockets []passed
		want    string
	}{
		{[]passed{{"metrics", tcp()}}, `socket "metrics" from systemd: unknown name, must be one of http, page, agent, agent-hold`},
		{[]passed{{"", tcp()}}, `socket "LISTEN_FD_3" from systemd: unknown name`},
		{[]passed{{"http", fileOf[*net.UDPConn](t, packet, nil)}}, `socket "http" from systemd: it does not listen`},
		{[]passed{{"agent", fileOf[*net.TCPConn](t, connected, nil)}}, `socket "agent" from systemd: it does not listen`},
		{[]passed{{"page", fileOf[*net.UnixListener](t, local, nil)}}, `socket "page" from systemd: it is a unix socket`},
		{[]passed{{"agent-hold", plain}}, `socket "agent-hold" from systemd: not a socket`},
		{[]passed{{"agent", tcp()}, {"agent", tcp()}}, `socket "agent" from systemd: there are two of this name`},
	} {
		cmd := activated(t, nil, c.sockets...)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), c.want) {
			t.Errorf("exit %d:\n%s\nwant %s", cmd.ProcessState.ExitCode(), out, c.want)
		}
	}
}

// TestSocketActivate starts the sidecar by systemd-socket-activate at the first check. The sidecar serves that check,
// and does not open the ports of its settings.
func TestSocketActivate(t *testing.T) {
	t.Parallel()
	program := testbed.Component(t, "systemd-socket-activate")
	addresses := map[string]string{}
	var args []string
	names := []string{"http", "page", "agent", "agent-hold"}
	for _, name := range names {
		addresses[name] = testbed.LastingAddress(t)
		args = append(args, "--listen="+addresses[name])
	}
	s := newShard(t, vars{"HTTP_PORT": occupy(t), "TCP_PORT": occupy(t)})
	for _, variable := range testbed.Loopback.With(s.settings).Environ() {
		args = append(args, "--setenv="+variable)
	}
	args = append(args, "--fdname="+strings.Join(names, ":"), testbed.Binary(t))
	first := make(chan string, 1)
	go func() {
		for t.Context().Err() == nil { // until systemd-socket-activate listens
			if said, err := testbed.Ask(addresses["agent"]); err == nil {
				first <- said
				return
			}
		}
	}()
	s.startBy(t, program, args...)
	if said := <-first; said != "up ready 100%\n" {
		t.Errorf("the first check gets %q", said)
	}
	if s.HTTP != addresses["http"] || s.Agent != addresses["agent"] || s.Held != addresses["agent-hold"] {
		t.Errorf("it serves %s, %s and %s, want %v", s.HTTP, s.Agent, s.Held, addresses)
	}
	for _, name := range []string{"http", "page"} {
		if code, _ := testbed.Get("http://" + addresses[name] + "/signal/health"); code != 200 {
			t.Errorf("%s answers %d", name, code)
		}
	}
	if said, err := testbed.Ask(addresses["agent-hold"]); err != nil || said != "up ready 100%\n" {
		t.Errorf("the held port says %q, %v", said, err)
	}
}
