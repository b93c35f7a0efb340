package agent

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// peers are actions of a peer before it reads. None of them may make it lose the reply.
var peers = map[string]func(*testing.T, *net.TCPConn){
	"sends nothing": func(*testing.T, *net.TCPConn) {},
	"sends agent-send": func(t *testing.T, conn *net.TCPConn) {
		write(t, conn, []byte("shard-1\n"))
	},
	"sends as much as haproxy's largest buffer": func(t *testing.T, conn *net.TCPConn) {
		write(t, conn, bytes.Repeat([]byte("x"), 16<<10))
	},
	"sends 200 KB": func(t *testing.T, conn *net.TCPConn) {
		if err := conn.SetWriteBuffer(4 << 10); err != nil { // what the agent does not read cannot be sent
			t.Error(err)
		}
		write(t, conn, bytes.Repeat([]byte("x"), 200_000))
	},
	"sends slowly": func(t *testing.T, conn *net.TCPConn) {
		pace := time.NewTicker(5 * time.Millisecond)
		defer pace.Stop()
		for range 10 {
			write(t, conn, []byte("x"))
			<-pace.C
		}
	},
	"half-closes": func(t *testing.T, conn *net.TCPConn) {
		if err := conn.CloseWrite(); err != nil {
			t.Error(err)
		}
	},
	"sends and half-closes": func(t *testing.T, conn *net.TCPConn) {
		write(t, conn, []byte("shard-1\n"))
		if err := conn.CloseWrite(); err != nil {
			t.Error(err)
		}
	},
}

func write(t *testing.T, conn net.Conn, data []byte) {
	t.Helper()
	if n, err := conn.Write(data); err != nil {
		t.Errorf("sent %d bytes of %d: %v", n, len(data), err)
	}
}

func TestPeerGetsTheReply(t *testing.T) {
	for name, act := range peers {
		t.Run(name, func(t *testing.T) {
			r := startAgent(t, setup{config: rules})
			r.upReady()
			for range 20 {
				conn := r.dial(t)
				act(t, conn)
				if got := readReply(t, conn); got != "up ready 100%\n" {
					t.Fatalf("got %q", got)
				}
				conn.Close()
			}
		})
	}
}

// TestPeerGetsTheReplyAfterWaiting checks the same for data that was sent while there was no verdict.
func TestPeerGetsTheReplyAfterWaiting(t *testing.T) {
	for name, act := range peers {
		t.Run(name, func(t *testing.T) {
			r := startAgent(t, setup{config: rules})
			conn := r.dial(t)
			acted := make(chan struct{})
			go func() { // it may block until the agent reads
				defer close(acted)
				act(t, conn)
			}()
			r.waitForWaiting(t, 1)
			r.upReady()
			if got := readReply(t, conn); got != "up ready 100%\n" {
				t.Errorf("got %q", got)
			}
			<-acted
		})
	}
}

// TestPeerGone checks that peers that leave do not affect others, and that their places become free.
func TestPeerGone(t *testing.T) {
	r := startAgent(t, setup{config: rules, change: lingerShortly})
	r.upReady()
	for range 50 {
		if err := r.dial(t).Close(); err != nil {
			t.Error(err)
		}
		reset := r.dial(t)
		_ = reset.SetLinger(0)
		_ = reset.Close()
		resetLate := r.dial(t)
		write(t, resetLate, []byte("shard-1\n"))
		_ = resetLate.SetLinger(0)
		_ = resetLate.Close()
	}
	if got := r.check(t); got != "up ready 100%\n" {
		t.Errorf("the next check: got %q", got)
	}
	r.waitForSockets(t, 1)
}

// TestPeerGoneWhileWaiting checks the same before the first verdict.
func TestPeerGoneWhileWaiting(t *testing.T) {
	r := startAgent(t, setup{config: rules, change: lingerShortly})
	closed, reset := r.dial(t), r.dial(t)
	r.waitForWaiting(t, 2)
	_ = closed.Close()
	_ = reset.SetLinger(0)
	_ = reset.Close()
	r.upReady()
	if got := r.check(t); got != "up ready 100%\n" {
		t.Errorf("the next check: got %q", got)
	}
	r.waitForSockets(t, 1)
}

// TestPeerThatNeverCloses checks that such a connection is closed after a bounded time, whether the peer sends data or
// not.
func TestPeerThatNeverCloses(t *testing.T) {
	t.Run("silent", func(t *testing.T) {
		r := startAgent(t, setup{config: rules, change: lingerShortly})
		r.upReady()
		conn := r.dial(t)
		if got := readReply(t, conn); got != "up ready 100%\n" {
			t.Errorf("got %q", got)
		}
		r.waitForSockets(t, 1)
	})
	t.Run("endless data", func(t *testing.T) {
		r := startAgent(t, setup{config: rules, change: lingerShortly})
		r.upReady()
		conn := r.dial(t)
		line := make([]byte, len("up ready 100%\n"))
		if _, err := io.ReadFull(conn, line); err != nil || string(line) != "up ready 100%\n" {
			t.Errorf("got %q, %v", line, err)
		}
		var err error
		for junk := make([]byte, 32<<10); err == nil; {
			_, err = conn.Write(junk)
		}
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Errorf("the agent still reads: %v", err)
		}
		r.waitForSockets(t, 1)
	})
}
