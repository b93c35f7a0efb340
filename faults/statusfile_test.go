package faults_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// unreadable is what is seen when the status file cannot be read.
func unreadable(text string) seen {
	return seen{line: "down drain 100%", reason: "status_file_unreadable", text: text, outcome: "status_file unreadable"}
}

// statusFile are the faults of the status file. It is watched; the polls are a minute apart.
var statusFile = []fault{
	edited("it is replaced by rename", atOnce, func(t *testing.T, s *shard) { s.Say(t, "drain") },
		seen{line: "up drain 0%", reason: "status_drain"}),
	{
		does: "it is truncated and written in two steps", within: throughout,
		tests: []string{"cmd/signal-sidecar TestStatusFileRewrittenInPlace"},
		want:  seen{also: "the empty content is never seen"},
	},
	edited("it becomes a symbolic link, which is swapped", atOnce, swapLink, seen{line: "up maint 0%", reason: "status_maint"}),
	edited("it is removed", debounced, func(t *testing.T, s *shard) { testbed.Must(t, os.Remove(s.StatusPath)) },
		unreadable("does not exist")),
	{
		does: "its permissions are taken away", within: atOnce, want: unreadable(""),
		tests: []string{"collector TestStatusForbidden"},
	},
	edited("its folder is removed", debounced, func(t *testing.T, s *shard) {
		testbed.Must(t, os.Rename(filepath.Dir(s.StatusPath), filepath.Dir(s.StatusPath)+".away"))
	}, unreadable("does not exist")),
	edited("its folder is replaced by another one", atOnce, replaceFolder,
		seen{line: "up maint 0%", reason: "status_maint"}),
	edited("it becomes a FIFO", debounced, func(t *testing.T, s *shard) {
		testbed.Must(t, os.Remove(s.StatusPath))
		testbed.Must(t, syscall.Mkfifo(s.StatusPath, 0o644))
	}, unreadable("not a regular file")),
	edited("it becomes a device", debounced, func(t *testing.T, s *shard) { replaceByLink(t, s, "/dev/zero") },
		unreadable("not a regular file")),
	edited("it has 1 GB", debounced, func(t *testing.T, s *shard) { testbed.Must(t, os.Truncate(s.StatusPath, 1<<30)) },
		unreadable("")),
	edited("it has NUL bytes", debounced, func(t *testing.T, s *shard) { s.Say(t, "ready\x00\x00") },
		seen{line: "up drain 100%", reason: "status_unknown", outcome: "status_file unknown_word"}),
	edited("it is edited 1,000 times a second", atOnce, editOften,
		seen{line: "up maint 0%", reason: "status_maint", also: "every reply is one of a word that was in the file"}),
	{
		does: "no inotify watch can be had", within: onePoll, prepare: withoutInotify,
		inject: func(t *testing.T, s *shard) { s.Say(t, "drain") },
		undo:   func(t *testing.T, s *shard) { s.Say(t, "ready") },
		want:   seen{line: "up drain 0%", reason: "status_drain", log: "status file is not watched, only polled"},
	},
}

// edited is a row that changes the status file. It is undone by a new file.
func edited(does string, w within, inject func(*testing.T, *shard), want seen) fault {
	return fault{
		does: does, within: w, inject: inject, want: want,
		prepare: func(t *testing.T, s *shard) {
			t.Helper()
			s.StatusPath = filepath.Join(t.TempDir(), "jitsi", "shard-status")
			testbed.Must(t, os.Mkdir(filepath.Dir(s.StatusPath), 0o755))
			s.Say(t, "ready")
			s.set(vars{"STATUS_PATH": s.StatusPath, "POLLING_INTERVAL": "60"})
			if strings.HasPrefix(want.outcome, "status_file ") { // it is counted at a poll
				s.set(vars{"POLLING_INTERVAL": "0.5"})
			}
		},
		undo: func(t *testing.T, s *shard) {
			t.Helper()
			testbed.Must(t, os.MkdirAll(filepath.Dir(s.StatusPath), 0o755))
			s.Say(t, "ready")
		},
	}
}

// replaceByLink replaces the status file by a symbolic link.
func replaceByLink(t *testing.T, s *shard, target string) {
	t.Helper()
	testbed.Must(t, os.Symlink(target, s.StatusPath+".link"))
	testbed.Must(t, os.Rename(s.StatusPath+".link", s.StatusPath))
}

func swapLink(t *testing.T, s *shard) {
	t.Helper()
	folder := t.TempDir()
	replaceByLink(t, s, testbed.Write(t, folder, "drain", "drain"))
	s.Becomes(t, "up drain 0%")
	replaceByLink(t, s, testbed.Write(t, folder, "maint", "maint"))
}

func replaceFolder(t *testing.T, s *shard) {
	t.Helper()
	folder := filepath.Dir(s.StatusPath)
	testbed.Must(t, os.Mkdir(folder+".new", 0o755))
	testbed.Write(t, folder+".new", filepath.Base(s.StatusPath), "maint")
	testbed.Must(t, os.Rename(folder, folder+".old"))
	testbed.Must(t, os.Rename(folder+".new", folder))
}

// editOften changes the file every millisecond for a third of a second, and then writes maint.
func editOften(t *testing.T, s *shard) {
	t.Helper()
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for i := range 333 {
		<-pace.C
		word := []string{"ready", "drain"}[rand.IntN(2)]
		if i%2 == 0 {
			s.Say(t, word)
		} else {
			testbed.Must(t, os.WriteFile(s.StatusPath, []byte(word), 0o600))
		}
		if i%50 == 0 {
			if line := s.line(); line != up+"\n" && line != "up drain 0%\n" {
				t.Errorf("the agent replies %q", line)
			}
		}
	}
	s.Say(t, "maint")
}

// withoutInotify runs the sidecar in a user namespace that allows no inotify instance.
func withoutInotify(t *testing.T, s *shard) {
	t.Helper()
	s.program = []string{
		testbed.Component(t, "unshare"), "--user", "--map-root-user", "sh", "-c",
		"echo 0 >/proc/sys/user/max_inotify_instances && exec " + testbed.Binary(t),
	}
}
