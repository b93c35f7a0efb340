package main_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// dumpScript writes the service's name to a file when it begins and when it ends. With a path of a second file it does
// not end before that file exists, or the first file is gone.
const dumpScript = `#!/bin/sh
echo "$1 begins" >> "$2"
if [ -n "$3" ]; then
	while [ -e "$2" ] && [ ! -e "$3" ]; do sleep 0.02; done
fi
echo "$1 ends" >> "$2"
`

// dumps is the script, the file of its notes, and the file that lets it end.
type dumps struct{ script, notes, release string }

func newDumps(t *testing.T) dumps {
	t.Helper()
	folder := t.TempDir()
	script := write(t, folder, "dump", dumpScript)
	testbed.Must(t, os.Chmod(script, 0o755))
	return dumps{script, folder + "/notes", folder + "/release"}
}

func (d dumps) count(line string) int { return strings.Count(testbed.Contents(d.notes), line+"\n") }

// TestDumps makes each service unhealthy and checks that its own script runs once each time.
func TestDumps(t *testing.T) {
	t.Parallel()
	d := newDumps(t)
	s := startShard(t, vars{
		"JICOFO_DUMP": d.script + " jicofo " + d.notes, "PROSODY_DUMP": d.script + "  prosody " + d.notes,
		"DRAIN_GRACE_INTERVAL": "60",
	})
	s.becomes(t, "up ready 100%")

	s.jicofo("code 503")
	s.becomes(t, "up drain 0%") // the dump starts during the grace interval too
	testbed.Eventually(t, "jicofo's dump", bound, func() bool { return d.count("jicofo ends") == 1 })
	s.polls(t, 3, map[string]string{"jicofo_health": "http_error"})
	s.jicofo("hang") // still unhealthy
	s.jicofo("code 500")
	s.polls(t, 2, map[string]string{"jicofo_health": "http_error"})
	s.jicofo("healthy")
	s.becomes(t, "up ready 100%")

	testbed.Must(t, s.Prosody.Crash())
	s.becomes(t, "down ready 100%")
	testbed.Eventually(t, "prosody's dump", bound, func() bool { return d.count("prosody ends") == 1 })
	testbed.Must(t, s.Prosody.Recover())
	s.becomes(t, "up ready 100%")

	testbed.Must(t, s.Jicofo.Crash())
	testbed.Eventually(t, "jicofo's second dump", bound, func() bool { return d.count("jicofo ends") == 2 })
	if notes := testbed.Contents(d.notes); strings.Count(notes, "\n") != 6 {
		t.Errorf("dumps:\n%s", notes)
	}
	testbed.Eventually(t, "the log of the dumps", bound, func() bool {
		return len(s.Logged("dump started")) == 3 && len(s.Logged("dump finished")) == 3
	})
}

// TestDumpOfUnhealthyService starts the sidecar while a service is unhealthy, which was never healthy before.
func TestDumpOfUnhealthyService(t *testing.T) {
	t.Parallel()
	d := newDumps(t)
	s := newShard(t, vars{"JICOFO_DUMP": d.script + " jicofo " + d.notes})
	s.jicofo("code 503")
	s.start(t)
	s.becomes(t, "down ready 100%")
	s.polls(t, 3, map[string]string{"jicofo_health": "http_error"})
	if n := len(s.Logged("dump started")); n > 0 {
		t.Errorf("%d dumps of a service that was never healthy", n)
	}
}

// TestDumpsNeverOverlap makes jicofo fail again while its script still runs, and then ends the sidecar before the
// script.
func TestDumpsNeverOverlap(t *testing.T) {
	t.Parallel()
	d := newDumps(t)
	s := startShard(t, vars{"JICOFO_DUMP": d.script + " jicofo " + d.notes + " " + d.release})
	s.becomes(t, "up ready 100%")
	for range 3 {
		s.jicofo("code 500")
		s.becomes(t, "down ready 100%")
		s.jicofo("healthy")
		s.becomes(t, "up ready 100%")
	}
	testbed.Eventually(t, "the dump to begin", bound, func() bool { return d.count("jicofo begins") == 1 })
	testbed.Eventually(t, "two dumps to be put off", bound, func() bool {
		return len(s.Logged("dump not started: the previous one is still running")) == 2
	})

	code, took := s.Stop(t, syscall.SIGTERM)
	if code != 0 || took > stopTime {
		t.Errorf("with a dump running: exit %d after %s", code, took)
	}
	testbed.Must(t, os.WriteFile(d.release, nil, 0o644))
	testbed.Eventually(t, "the dump to end after the sidecar", bound, func() bool { return d.count("jicofo ends") == 1 })
	if d.count("jicofo begins") != 1 {
		t.Errorf("dumps:\n%s", testbed.Contents(d.notes))
	}
}

// TestBadDumps uses scripts that are missing or fail. The verdict still follows the service's health.
func TestBadDumps(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, command := range []string{
		"/nonexistent/dump",
		"no-such-program-in-path",
		folder,
		write(t, folder, "not-executable", "#!/bin/sh\n"),
		"sh -c false",
		"false; touch /tmp/never # no shell reads this",
	} {
		s := startShard(t, vars{"JICOFO_DUMP": command})
		s.becomes(t, "up ready 100%")
		s.jicofo("code 500")
		s.becomes(t, "down ready 100%")
		testbed.Eventually(t, command+" to fail, and the log to say so", bound, func() bool {
			failed := s.Logged("dump failed", "service", "jicofo", "level", "error")
			return len(failed) == 1 && failed[0]["error"] != ""
		})
		s.jicofo("healthy")
		s.becomes(t, "up ready 100%")
		_, _ = s.Stop(t, syscall.SIGTERM)
	}
}
