package collector

import (
	"context"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestNoMeansToAsk checks that a sidecar without free file descriptors makes no observation and logs the reason once.
// It retries with back-off, and its poll is overdue meanwhile.
func TestNoMeansToAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var exhausted atomic.Bool
		v, r := newVirtual(t, answerAll), newRig(t)
		r.options.Interval, r.options.Timeout, r.options.Retries = 10*time.Second, 3*time.Second, 0
		var asked []time.Duration
		r.options.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if exhausted.Load() {
				asked = append(asked, time.Since(v.start))
				return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("socket", syscall.EMFILE)}
			}
			return v.dial(ctx, network, address)
		}
		exhausted.Store(true)
		c, err := NewProsody(origin, r.options)
		stop := r.run(c, err)
		time.Sleep(35 * time.Second) // virtual
		synctest.Wait()
		r.quiet()
		want := []time.Duration{0, 100 * ms, 300 * ms, 700 * ms, 1500 * ms, 3100 * ms, 6300 * ms, 12700 * ms, 22700 * ms,
			32700 * ms}
		if !slices.Equal(asked, want) {
			t.Errorf("asked at %v, want %v", asked, want)
		}
		if ended := c.times().ended.Load(); c.Overdue(time.Now()) == nil || time.Since(*ended) > r.options.Interval {
			t.Errorf("overdue: %v; the last poll ended at %v", c.Overdue(time.Now()), ended)
		}
		if got := r.log.Lines(); len(got) != 1 || !strings.Contains(got[0], "outcome=local_resources") {
			t.Errorf("logged:\n%s", strings.Join(got, "\n"))
		}
		exhausted.Store(false)
		if seen := r.next(); !seen.Prosody.Healthy() {
			t.Errorf("seen then: %+v", seen.Prosody)
		}
		stop()
	})
}

// TestSilentHandshakes checks that a peer that accepts connections but sends no TLS handshake does not keep connections
// open after the probe.
func TestSilentHandshakes(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{}, 1000)
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer := make([]byte, 4096)
				for {
					if _, err := conn.Read(buffer); err != nil {
						closed <- struct{}{}
						return
					}
				}
			}()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-accepting
	})
	r := newRig(t)
	r.options.Interval, r.options.Timeout, r.options.Retries = 10*time.Millisecond, 100*time.Millisecond, 0
	stop := r.run(NewProsody("https://"+l.Addr().String(), r.options))
	for range 5 {
		if seen := r.next(); !seen.Prosody.SoftDown() {
			t.Errorf("seen: %+v", seen.Prosody)
		}
	}
	for range 4 { // while polling continues
		select {
		case <-closed:
		case <-time.After(bound):
			t.Fatal("the connections of polls that are over stay open")
		}
	}
	stop()
}
