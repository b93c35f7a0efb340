package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// pauseSettings returns settings that reveal any moment at which the node was unhealthy: the dampening is longer than
// the test, and a script runs.
func pauseSettings(t *testing.T) (settings vars, dumped string) {
	t.Helper()
	folder := t.TempDir()
	dumped = filepath.Join(folder, "dumped")
	script := write(t, folder, "dump", "#!/bin/sh\necho >"+dumped+"\n")
	testbed.Must(t, os.Chmod(script, 0o755)) //nolint:gosec // the test runs it
	return vars{
		"POLLING_INTERVAL": "0.5", "PROBE_TIMEOUT": "1", "HEALTH_DAMPENING_INTERVAL": "300", "DRAIN_GRACE_INTERVAL": "0",
		"JICOFO_DUMP": script, "PROSODY_DUMP": script,
	}, dumped
}

// stop stops the process for a time, as a debugger, a frozen control group or the migration of a virtual machine does.
func (s *sidecar) stop(t *testing.T, d time.Duration) {
	t.Helper()
	s.halt(t)
	<-time.After(d)
	s.Signal(t, syscall.SIGCONT)
}

// halt stops the process, and waits until all of its threads are stopped.
func (s *sidecar) halt(t *testing.T) {
	t.Helper()
	s.Signal(t, syscall.SIGSTOP)
	testbed.Eventually(t, "the sidecar to be stopped", bound, func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.Cmd.Process.Pid))
		return err == nil && !slices.ContainsFunc(threads, func(path string) bool {
			_, state, _ := strings.Cut(testbed.Contents(path), ") ")
			return !strings.HasPrefix(state, "T")
		})
	})
}

// staysUp checks that the node was never unhealthy, after three more polls of its services.
func (s *shard) staysUp(t *testing.T, dumped string) {
	t.Helper()
	s.polls(t, 3, map[string]string{"jicofo_health": "ok", "jicofo_stats": "ok", "prosody": "ok", "status_file": "ok"})
	s.becomes(t, "up ready 100%")
	s.changes(t, 1)
	if _, err := os.Stat(dumped); err == nil {
		t.Error("a dump script has run")
	}
}

// TestPause stops the sidecar in the middle of a poll for longer than PROBE_TIMEOUT. Both services reply in the
// meantime, so the node is healthy.
func TestPause(t *testing.T) {
	t.Parallel()
	settings, dumped := pauseSettings(t)
	s := newShard(t, settings)
	s.jicofo("slow 300ms")
	s.prosody("slow 300ms")
	s.start(t)
	s.becomes(t, "up ready 100%")
	for range 3 {
		before, _ := s.Jicofo.Requests("")
		testbed.Eventually(t, "a poll to begin", bound, func() bool {
			now, _ := s.Jicofo.Requests("")
			return now > before
		})
		<-time.After(80 * time.Millisecond)
		s.stop(t, 2500*time.Millisecond)
	}
	s.staysUp(t, dumped)
	if len(s.Logged("this process did not run during a probe")) == 0 {
		t.Error("the log does not show the pauses")
	}
}

// TestPauseOutlastsConnections lets the services close their connections without a reply while the sidecar is stopped.
// The probes have no retry left, but are repeated.
func TestPauseOutlastsConnections(t *testing.T) {
	t.Parallel()
	settings, dumped := pauseSettings(t)
	var asked, closing atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if closing.Load() > 0 {
			closing.Add(-1)
			<-time.After(500 * time.Millisecond)
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write([]byte(`{"participants":1,"conferences":1}`))
	}))
	t.Cleanup(service.Close)
	s := newShard(t, testbed.Vars(settings).With(vars{"PROBE_RETRIES": "0"}))
	s.settings["JICOFO_ORIG"], s.settings["PROSODY_ORIG"] = service.URL, service.URL
	s.start(t)
	s.becomes(t, "up ready 100%")
	closing.Store(3) // jicofo's health and statistics, and prosody
	testbed.Eventually(t, "the requests", bound, func() bool { return closing.Load() == 0 })
	s.stop(t, 2500*time.Millisecond)
	s.staysUp(t, dumped)
}

// TestPauseHidesNothing stops the sidecar while a service hangs. After the stop, the sidecar still finds that the
// service hangs.
func TestPauseHidesNothing(t *testing.T) {
	t.Parallel()
	settings, dumped := pauseSettings(t)
	s := startShard(t, settings)
	s.becomes(t, "up ready 100%")
	before, _ := s.Jicofo.Requests("")
	s.jicofo("hang")
	testbed.Eventually(t, "a poll that hangs", bound, func() bool {
		now, _ := s.Jicofo.Requests("")
		return now >= before+2
	})
	s.stop(t, 2500*time.Millisecond)
	s.becomes(t, "down ready 100%")
	testbed.Eventually(t, "the dump script to run", bound, func() bool {
		_, err := os.Stat(dumped)
		return err == nil
	})
}

// TestPauseQueuesChecks stops the sidecar for longer than a poll may take, and makes the node fail in that time. The
// checks that were queued get no reply, or one that includes the failure. HAProxy keeps the server's state until then.
func TestPauseQueuesChecks(t *testing.T) {
	t.Parallel()
	settings, _ := pauseSettings(t)
	s := startShard(t, settings)
	s.becomes(t, "up ready 100%")
	for range 3 {
		s.halt(t)
		s.jicofo("code 500")
		s.prosody("slow 300ms")
		replies := make(chan string, 20)
		for range cap(replies) {
			go func() {
				said, _ := testbed.Ask(s.Agent)
				replies <- said
			}()
		}
		<-time.After(2500 * time.Millisecond)
		s.Signal(t, syscall.SIGCONT)
		for range cap(replies) {
			if said := <-replies; said != "" && said != "down ready 100%\n" {
				t.Errorf("a check that was queued gets %q", said)
			}
		}
		s.becomes(t, "down ready 100%")
		s.Stop(t, syscall.SIGTERM)
		s.jicofo("healthy")
		s.start(t)
		s.becomes(t, "up ready 100%")
	}
}
