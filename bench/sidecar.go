package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
)

const (
	// bound limits the wait for anything that normally happens at once.
	bound = 20 * time.Second
	// upLine is the agent's reply for a healthy node.
	upLine = "up ready 100%\n"
)

// env are environment variables.
type env map[string]string

// sidecar is the running binary, beside a simulated node of its own.
type sidecar struct {
	node              *signalnode.Node
	process           *exec.Cmd
	ended             chan struct{}
	folder, status    string // the status file
	http, agent, held string // addresses; held has no listener in a binary without the held port
	log               string // file
}

// pid returns the process's id.
func (s *sidecar) pid() int { return s.process.Process.Pid }

// start starts the binary with a healthy node, and returns when it replies that the node is up. The caller must stop
// it.
func (b *bench) start(more env) (*sidecar, error) {
	s, err := b.launch(more)
	if err != nil {
		return nil, err
	}
	if _, err := s.await(time.Millisecond, isUp); err != nil {
		return nil, errors.Join(err, s.stop(), fmt.Errorf("its log: %s", s.tail()))
	}
	return s, nil
}

// launch starts the binary and does not wait for anything.
func (b *bench) launch(more env) (*sidecar, error) {
	node, err := signalnode.Start()
	if err != nil {
		return nil, err
	}
	s := &sidecar{node: node, ended: make(chan struct{})}
	if err := b.prepare(s, more); err != nil {
		return nil, errors.Join(err, node.Close())
	}
	return s, nil
}

// prepare creates the files and starts the process.
func (b *bench) prepare(s *sidecar, more env) (err error) {
	if s.folder, err = os.MkdirTemp(b.folder, "sidecar-"); err != nil {
		return err
	}
	s.status, s.log = filepath.Join(s.folder, "shard-status"), filepath.Join(s.folder, "log")
	if err := s.setStatus("ready"); err != nil {
		return err
	}
	out, err := os.Create(s.log)
	if err != nil {
		return err
	}
	defer out.Close()
	var ports [3]string
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return err
		}
	}
	s.http, s.agent, s.held = "127.0.0.1:"+ports[0], "127.0.0.1:"+ports[1], "127.0.0.1:"+ports[2]
	all := env{
		"HTTP_ADDR": "127.0.0.1", "TCP_ADDR": "127.0.0.1", "HTTP_PORT": ports[0], "TCP_PORT": ports[1],
		"TCP_HOLD_PORT": ports[2],
		"JICOFO_ORIG":   s.node.Jicofo.Origin(), "PROSODY_ORIG": s.node.Prosody.Origin(), "STATUS_PATH": s.status,
		"POLLING_INTERVAL": "5", "HEALTH_DAMPENING_INTERVAL": "0", "DRAIN_GRACE_INTERVAL": "0",
	}
	maps.Copy(all, more)
	s.process = exec.Command(b.binary)
	s.process.Dir, s.process.Stdout, s.process.Stderr = s.folder, out, out
	s.process.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.folder}
	for name, value := range all {
		s.process.Env = append(s.process.Env, name+"="+value)
	}
	endWithParent(s.process)
	if err := s.process.Start(); err != nil {
		return err
	}
	go func() {
		defer close(s.ended)
		_ = s.process.Wait()
	}()
	return nil
}

// stop ends the process and the node.
func (s *sidecar) stop() error {
	_ = s.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(5 * time.Second):
		_ = s.process.Process.Kill()
		<-s.ended
	}
	return s.node.Close()
}

// setStatus renames a status file with the word into place.
func (s *sidecar) setStatus(word string) error {
	if err := s.write(word); err != nil {
		return err
	}
	return s.rename()
}

func (s *sidecar) write(word string) error {
	return os.WriteFile(s.status+".new", []byte(word+"\n"), 0o644)
}

func (s *sidecar) rename() error { return os.Rename(s.status+".new", s.status) }

// tail returns the end of the log.
func (s *sidecar) tail() string {
	text, _ := os.ReadFile(s.log)
	return string(text[max(0, len(text)-1000):])
}

// holds reports whether the binary has the held port.
func (s *sidecar) holds() bool {
	conn, err := net.DialTimeout("tcp", s.held, bound)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// agentCheck performs one agent check.
func agentCheck(address string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, bound)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(bound)); err != nil {
		return "", err
	}
	text, err := io.ReadAll(conn)
	return string(text), err
}

func isUp(line string) bool { return line == upLine }

func isNotUp(line string) bool { return line != "" && line != upLine }

func has(word string) func(string) bool {
	return func(line string) bool { return strings.Contains(line, word) }
}

// await checks the agent at the interval every until its reply fits. It returns the time of that reply.
func (s *sidecar) await(every time.Duration, fits func(string) bool) (time.Time, error) {
	line, err := "", error(nil)
	for end := time.Now().Add(bound); time.Now().Before(end); nap(every) {
		if line, err = agentCheck(s.agent); err == nil && fits(line) {
			return time.Now(), nil
		}
		select {
		case <-s.ended:
			return time.Time{}, fmt.Errorf("the sidecar ended: %s", s.tail())
		default:
		}
	}
	return time.Time{}, fmt.Errorf("no such reply within %v; the last was %q, %w", bound, line, err)
}

// upTo waits for a random part of d, so that events are not in step with the polls.
func upTo(d time.Duration) { nap(rand.N(d)) }

var ports struct {
	sync.Mutex
	given map[int]bool
}

// freePort returns a port of 127.0.0.1 below the ranges from which systems and package signalnode choose ports.
func freePort() (string, error) {
	ports.Lock()
	defer ports.Unlock()
	if ports.given == nil {
		ports.given = map[int]bool{}
	}
	for range 1000 {
		port := 10000 + rand.IntN(9000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil || ports.given[port] {
			continue
		}
		ports.given[port] = true
		return fmt.Sprint(port), l.Close()
	}
	return "", errors.New("no free port to be had")
}
