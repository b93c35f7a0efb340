package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// openTerminal returns the two ends of a pseudoterminal with this number of lines.
func openTerminal(t *testing.T, lines uint16) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		testbed.Missing(t, "a pseudoterminal: "+err.Error())
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	testbed.Must(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	testbed.Must(t, err)
	testbed.Must(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: lines, Col: 120}))
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	testbed.Must(t, err)
	t.Cleanup(func() { _ = terminal.Close() })
	return master, terminal
}

// onTerminal runs the binary on a pseudoterminal until seen holds for its output, or until it ends, and returns the
// output.
func onTerminal(t *testing.T, lines uint16, v vars, seen func(output string) bool, args ...string) string {
	t.Helper()
	master, terminal := openTerminal(t, lines)
	cmd := exec.Command(testbed.Binary(t), args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = t.TempDir(), v.Environ(), terminal, terminal
	testbed.Must(t, cmd.Start())
	_ = terminal.Close()
	output, ended := make(chan string), make(chan struct{})
	go func() {
		defer close(ended)
		all, part := "", make([]byte, 4096)
		for {
			n, err := master.Read(part)
			if err != nil { // EIO at the end
				return
			}
			all += string(part[:n])
			output <- all
		}
	}()
	all := ""
	for done := false; !done; {
		select {
		case all = <-output:
			done = seen(all)
		case <-ended:
			done = true
		}
	}
	_ = cmd.Process.Signal(os.Interrupt)
	go func() { // what is written after the interrupt
		for range output {
			continue
		}
	}()
	<-ended
	close(output)
	_ = cmd.Wait()
	return all
}

// TestFleetOnTerminal checks the colours, NO_COLOR, and that --watch draws over the screen and fits it.
func TestFleetOnTerminal(t *testing.T) {
	t.Parallel()
	consul, v := startConsul(t)
	fill(consul.Datacenter(""))
	v = v.With(vars{"TERM": "xterm"})
	never := func(string) bool { return false }
	text := onTerminal(t, 10, v, never, "fleet")
	for _, want := range []string{"\x1b[1mSHARD ", "\x1b[31ms00 ", `"evil\x1b[2J"`, "\x1b[33ms01 ", "\r\ns02 "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	for name, v := range map[string]vars{"NO_COLOR": v.With(vars{"NO_COLOR": "1"}), "dumb": v.With(vars{"TERM": "dumb"})} {
		if text := onTerminal(t, 10, v, never, "fleet"); strings.Contains(text, "\x1b") {
			t.Errorf("%s: %q", name, text)
		}
	}
	drawn := func(output string) bool { return strings.Count(output, "\x1b[J") >= 2 }
	text = onTerminal(t, 10, v, drawn, "fleet", "--watch")
	frame, _, _ := strings.Cut(text, "\x1b[J")
	if !strings.HasPrefix(frame, "\x1b[H") || strings.Count(frame, "\n") > 9 || !strings.Contains(frame, "… and ") ||
		!strings.Contains(frame, "22 shards: ") {
		t.Errorf("frame %q", frame)
	}
}

// fill puts 22 shards: s00 is down, s01 is silent, the others are ready; one has an escape sequence in its name.
func fill(d signalnode.Datacenter) {
	d.Put("shard-states/prod/evil\x1b[2J", "ready")
	d.Put("shard-states/prod/s01", "ready")
	d.Put("signal-report/prod/s00", shardReport(0, "down ready 100%", 1))
	for i := 2; i <= 20; i++ {
		d.Put(fmt.Sprintf("signal-report/prod/s%02d", i), shardReport(0, "up ready 100%", i))
	}
}
