package faults_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// process are the faults of the process and its machine.
var process = []fault{
	{
		does: "it gets SIGTERM while many clients ask", within: "2 s", inject: stopUnderLoad,
		want: seen{also: "exit code 0; each reply until then is whole, also the last ones"}, ends: true,
	},
	{
		does: "it is killed at random moments", within: throughout,
		tests: []string{"cmd/signal-sidecar TestKilledAtRandomMoments"},
		want:  seen{also: "with STATE_PATH the state file is never corrupt, and no reply is untrue"},
	},
	{
		does: "it is killed in the drain grace or in the dampening, and started again", within: "the first reply",
		tests: []string{"cmd/signal-sidecar TestRestartIsInvisible"},
		want:  seen{also: "with STATE_PATH the reply, its reasons, its incident and its deadline are the same as before"},
	},
	{
		does: "the file of STATE_PATH is corrupt, of another boot or too old", within: atStart,
		tests: []string{"state TestBadFiles"}, want: seen{log: "no state is restored"},
	},
	{
		does: "a poll loop, the Monitor or a listener panics", within: throughout,
		tests: []string{"guard TestLoop", "guard TestTooManyPanics"},
		want:  seen{log: "panic", also: "the third panic in a minute ends the process"},
	},
	{
		does: "the disk of RECORD_PATH is slow", within: throughout, tests: []string{"recording TestSlowDisk"},
		want: seen{log: "recording has a gap: the disk is too slow", also: "no reply waits for it"},
	},
	{
		does: "the file system of STATE_PATH is read-only", within: atStart,
		prepare: func(t *testing.T, s *shard) { s.mounts(t, "mount -t tmpfs -o ro tmpfs %[1]s") },
		inject:  func(t *testing.T, s *shard) { s.Say(t, "drain") },
		undo:    func(t *testing.T, s *shard) { s.Say(t, "ready") },
		want:    seen{line: "up drain 0%", log: "state is not written: a restart would forget it"},
	},
	{
		does: "the disk of STATE_PATH and RECORD_PATH is full", within: atOnce,
		prepare: func(t *testing.T, s *shard) {
			s.mounts(t, "mount -t tmpfs -o size=16k tmpfs %[1]s && { head -c 1M /dev/zero >%[1]s/fill || true; }")
			s.set(vars{"RECORD_PATH": filepath.Join(filepath.Dir(s.settings["STATE_PATH"]), "recording.jsonl")})
		},
		inject: func(t *testing.T, s *shard) { s.Say(t, "drain") },
		undo:   func(t *testing.T, s *shard) { s.Say(t, "ready") },
		want: seen{
			line: "up drain 0%", log: "state is not written: a restart would forget it", also: "log `recording fails`",
			check: func(t *testing.T, s *shard) {
				s.eventually(t, "the log of the recording", func() bool { return len(s.Logged("recording fails")) > 0 })
			},
		},
	},
	{
		does: "the control group allows 40 MB of memory, and many clients ask", within: throughout, prepare: limitMemory,
		inject: func(t *testing.T, s *shard) { s.checked(t, func() { load(t, s, loadTime) }) },
		want:   seen{line: up, also: "a checker that asks every 100 ms is always answered"},
	},
	{
		does: "there is one core, and many clients ask", within: throughout,
		prepare: func(t *testing.T, s *shard) {
			s.program = []string{testbed.Component(t, "taskset"), "--cpu-list", "0", testbed.Binary(t)}
		},
		inject: func(t *testing.T, s *shard) { s.checked(t, func() { load(t, s, loadTime) }) },
		want:   seen{line: up, also: "a checker that asks every 100 ms is always answered"},
	},
	{
		does: "standard output is full, or its reader has ended", within: throughout,
		tests: []string{"cmd/signal-sidecar TestLogReader"},
		want:  seen{also: "metric `signal_log_dropped_total` grows"},
	},
	{
		does: "there is no /proc", within: atStart, tests: []string{"cmd/signal-sidecar TestWithoutProc"},
		want: seen{line: up, also: "the metrics of the process are missing"},
	},
	{
		does: "it gets SIGTERM while the file system of the status file does not reply", within: "2 s", ends: true,
		inject: loseFileServer,
		want: seen{
			also: "it ends",
			check: func(t *testing.T, s *shard) {
				s.eventually(t, "no reply", func() bool { return s.line() == "" })
				s.Signal(t, syscall.SIGTERM)
				s.eventually(t, "the end of the sidecar", s.Ended)
			},
		},
	},
	{
		does: "the file system of the status file does not reply when it starts", within: atStart,
		prepare: loseFileServer,
		undo:    func(_ *testing.T, s *shard) { s.endFault() },
		want: seen{
			also: "/signal/health returns 500, and the agent gives no reply",
			check: func(t *testing.T, s *shard) {
				s.responds(t, "/signal/health", http.StatusInternalServerError)
			},
		},
	},
	stoppedWithoutFiles("STATE_PATH", "state.json"),
	stoppedWithoutFiles("RECORD_PATH", "recording.jsonl"),
	{
		does:   "the file system of the status file does not reply, as of a file server that is gone",
		within: "POLLING_INTERVAL + PROBE_TIMEOUT + 500 ms", inject: loseFileServer,
		undo: func(t *testing.T, s *shard) { s.endFault() },
		want: seen{
			also: "agent closes connections without a reply; /health returns 503 and names the loop `status_file` after " +
				"3 POLLING_INTERVAL + PROBE_TIMEOUT",
			check: func(t *testing.T, s *shard) {
				s.eventually(t, "no reply", func() bool { return s.line() == "" })
				s.eventually(t, "/health to name the loop", func() bool {
					code, body := testbed.Get("http://" + s.HTTP + "/health")
					return code == http.StatusServiceUnavailable && strings.Contains(body, "status")
				})
			},
		},
	},
}

// stoppedWithoutFiles is a row in which the file system of a file of the sidecar's own does not reply, also while it is
// stopped.
func stoppedWithoutFiles(variable, name string) fault {
	return fault{
		does: "the file system of " + variable + " does not reply", within: throughout, ends: true,
		prepare: func(t *testing.T, s *shard) { s.set(vars{variable: filepath.Join(t.TempDir(), name)}) },
		inject: func(t *testing.T, s *shard) {
			t.Helper()
			s.eventually(t, "the file", func() bool { return testbed.Contents(s.settings[variable]) != "" })
			hang(t, filepath.Dir(s.settings[variable]))
			s.Say(t, "drain")
		},
		want: seen{
			line: "up drain 0%", also: "SIGTERM ends the sidecar within 2 s",
			check: func(t *testing.T, s *shard) {
				s.checkedLine(t, "up drain 0%")
				s.Signal(t, syscall.SIGTERM)
				began := time.Now()
				s.eventually(t, "the end of the sidecar", s.Ended)
				t.Logf("ended after %s", time.Since(began))
			},
		},
	}
}

// checkedLine checks that the agent keeps its reply for a second.
func (s *shard) checkedLine(t *testing.T, line string) {
	t.Helper()
	for range 10 {
		if got := s.line(); got != line+"\n" {
			t.Errorf("the agent replies %q", got)
		}
		<-time.After(checkEvery)
	}
}

// operators are the faults of settings and of what commands print.
var operators = []fault{
	{
		does: "settings are bad", within: atStart, tests: []string{"config TestAllBadAtOnce", "config TestBadValues"},
		want: seen{also: "exit code 2, and a line for each problem, before a port opens"},
	},
	{
		does: "a bad setting has a password", within: atStart, tests: []string{"config TestPasswordsInURLs"},
		want: seen{also: "the password is not shown"},
	},
	{
		does: "two of STATUS_PATH, STATE_PATH, RECORD_PATH and the dump scripts are the same file", within: atStart,
		tests: []string{"config TestFilesAreDistinct"}, want: seen{also: "exit code 2"},
	},
	{
		does: "RECORD_PATH is a symbolic link or a device", within: atStart, tests: []string{"recording TestNoRegularFile"},
		want: seen{also: "it is not followed"},
	},
	{
		does: "the user may not enter the working directory", within: atStart, tests: []string{"config TestForbiddenFolder"},
		want: seen{also: "it starts, as if there were no .env"},
	},
	{
		does: "a service, a recording or another machine sends terminal escapes", within: throughout,
		tests: []string{"cmd/signal-sidecar TestCommandsEscape"}, want: seen{also: "commands print them escaped"},
	},
}

// clock are the faults of the time.
var clock = []fault{
	{
		does: "it is stopped for seconds (SIGSTOP, a frozen control group, a migration)", within: throughout,
		tests: []string{"cmd/signal-sidecar TestPause", "cmd/signal-sidecar TestPauseOutlastsConnections"},
		want:  seen{line: up, also: "a probe that timed out meanwhile is made again"},
	},
	{
		does: "a service fails while it is stopped", within: onePoll,
		tests: []string{"cmd/signal-sidecar TestPauseHidesNothing"}, want: seen{line: down},
	},
	{
		does: "the wall clock is set by a day", within: throughout,
		want:   seen{also: "only monotonic time counts"},
		cannot: "Linux has no separate wall clock for a process, and the tests do not set that of the machine",
	},
	{
		does: "the machine is suspended", within: throughout,
		want:   seen{also: "as when it is stopped"},
		cannot: "the tests do not suspend the machine",
	},
}

// mounts runs the sidecar in a mount namespace with a file system for STATE_PATH. %[1]s in the command is its folder.
func (s *shard) mounts(t *testing.T, command string) {
	t.Helper()
	if os.Getuid() != 0 {
		testbed.Missing(t, "root, to mount a file system")
	}
	folder := t.TempDir()
	s.set(vars{"STATE_PATH": filepath.Join(folder, "state.json")})
	s.program = []string{
		testbed.Component(t, "unshare"), "--mount", "sh", "-c",
		fmt.Sprintf(command, folder) + " 2>/dev/null && exec " + testbed.Binary(t),
	}
}

// loadTime is for how long many clients ask. It is enough for thousands of requests.
const loadTime = 500 * time.Millisecond

// load asks both ports for a time, as fast as it is answered. It returns the first reply that is wrong. After done the
// connections may fail, but no reply may be cut off.
func load(t *testing.T, s *shard, d time.Duration) {
	t.Helper()
	end := time.Now().Add(d)
	var clients sync.WaitGroup
	defer clients.Wait()
	for i := range 10 {
		clients.Go(func() {
			for time.Now().Before(end) && !t.Failed() {
				line, err := testbed.Ask(s.Agent)
				if line != up+"\n" && (line != "" || err == nil && !s.stopping.Load()) {
					t.Errorf("the agent replied %q, %v", line, err)
				}
				path := []string{"/signal/report", "/metrics", "/signal/history", "/", "/health"}[i%5]
				code, body := testbed.Get("http://" + s.HTTP + path)
				if code != http.StatusOK && code != http.StatusServiceUnavailable && !s.stopping.Load() {
					t.Errorf("%s returned %d %.200s", path, code, body)
				}
			}
		})
	}
}

func stopUnderLoad(t *testing.T, s *shard) {
	t.Helper()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-time.After(loadTime / 2)
		s.stopping.Store(true)
		if code, took := s.Stop(t, syscall.SIGTERM); code != 0 {
			t.Errorf("exit %d after %s", code, took)
		}
	}()
	load(t, s, loadTime)
	<-stopped
	if n := len(s.Logged("signal-sidecar stopped")); n != 1 {
		t.Errorf("%d log lines about the stop", n)
	}
}

// limitMemory runs the sidecar in a control group whose memory is limited.
func limitMemory(t *testing.T, s *shard) {
	t.Helper()
	group, limit := "/sys/fs/cgroup", "memory.max"
	if _, err := os.Stat(group + "/memory/memory.limit_in_bytes"); err == nil { // version 1
		group, limit = group+"/memory", "memory.limit_in_bytes"
	}
	group, err := os.MkdirTemp(group, "signal-sidecar-test-")
	if err != nil {
		testbed.Missing(t, "a control group: "+err.Error())
	}
	t.Cleanup(func() {
		s.eventually(t, "the control group to be empty", func() bool { return syscall.Rmdir(group) == nil })
	})
	if err := os.WriteFile(filepath.Join(group, limit), []byte("40M"), 0); err != nil {
		testbed.Missing(t, "a control group with a limit of memory: "+err.Error())
	}
	s.program = []string{"sh", "-c", "echo $$ >" + group + "/cgroup.procs && exec " + testbed.Binary(t)}
}

func loseFileServer(t *testing.T, s *shard) {
	t.Helper()
	s.endFault = hang(t, filepath.Dir(s.StatusPath))
}
