package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const recordings = "../../recording/testdata/recordings/"

// replayed runs the replay command. It returns standard output followed by standard error, and the exit code.
func replayed(args ...string) (text string, code int) {
	var stdout, stderr bytes.Buffer
	code = run(append([]string{"replay"}, args...), streams{&stdout, &stderr})
	return stdout.String() + stderr.String(), code
}

// TestReplay compares whole outputs with testdata/replay; -update writes the files.
func TestReplay(t *testing.T) {
	text, err := os.ReadFile(recordings + "jicofo_overloaded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	cutOff := filepath.Join(t.TempDir(), "cut_off.jsonl")
	if err := os.WriteFile(cutOff, text[:9000], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		golden string
		code   int
		args   []string
	}{
		{"timeline", exitOK, []string{recordings + "jicofo_overloaded.jsonl"}},
		{"runs", exitOK, []string{recordings + "prosody_dies_and_flaps.jsonl"}},
		{"longer_grace", exitOK, []string{recordings + "jicofo_overloaded.jsonl", "--set", "DRAIN_GRACE_INTERVAL=5m"}},
		{"shorter_grace", exitOK, []string{recordings + "jicofo_overloaded.jsonl", "--set", "DRAIN_GRACE_INTERVAL=60"}},
		{"weight", exitOK, []string{recordings + "jicofo_overloaded.jsonl", "--set", "WEIGHT_PARTICIPANTS=yes"}},
		{"two_settings", exitOK, []string{
			recordings + "jicofo_overloaded.jsonl", "--set", "PARTICIPANT_MAX=4300", "--set", "HEALTH_DAMPENING_INTERVAL=0"}},
		{"forced_grace", exitOK, []string{recordings + "jicofo_overloaded.jsonl", "--set", "HEALTH_DAMPENING_INTERVAL=200"}},
		{"no_difference", exitOK, []string{recordings + "jicofo_overloaded.jsonl", "--set", "DRAIN_GRACE_SCOPE=soft"}},
		{"json", exitOK, []string{recordings + "jicofo_overloaded.jsonl", "--set", "DRAIN_GRACE_INTERVAL=60", "--json"}},
		{"cut_off", exitFailure, []string{cutOff}},
		{"bad_settings", exitUsage, []string{
			cutOff, "--set", "DRAIN_GRACE_SCOPE=hard", "--set", "HTTP_PORT=1", "--set", "PARTICIPANT_MAX"}},
	} {
		t.Run(c.golden, func(t *testing.T) {
			got, code := replayed(c.args...)
			got = strings.ReplaceAll(got, cutOff, "cut_off.jsonl")
			golden := filepath.Join("testdata", "replay", c.golden+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) || code != c.code {
				t.Errorf("exit code %d, want %d; the output is\n%s\nwant\n%s", code, c.code, got, want)
			}
		})
	}
}

// TestReplayDiffers checks that a replay that differs from the recording is a failure.
func TestReplayDiffers(t *testing.T) {
	text, err := os.ReadFile(recordings + "jicofo_overloaded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), "changed.jsonl")
	text = bytes.Replace(text, []byte(`"agent":"up drain 0%"`), []byte(`"agent":"up maint 0%"`), 1)
	if err := os.WriteFile(changed, text, 0o644); err != nil {
		t.Fatal(err)
	}
	got, code := replayed(changed)
	if code != exitFailure ||
		strings.Count(got, ": the replay differs: recorded: ") != 1 || !strings.Contains(got, "up maint 0% (status drain)") {
		t.Errorf("exit code %d: %s", code, got)
	}
}

// TestReplayNoFile checks that the error of a file that does not exist or cannot be read names it.
func TestReplayNoFile(t *testing.T) {
	if got, code := replayed("no/such/file"); code != exitFailure || !strings.Contains(got, "no/such/file does not exist") {
		t.Errorf("exit code %d: %s", code, got)
	}
	if got, code := replayed(t.TempDir()); code != exitFailure || !strings.Contains(got, ":1: cannot be read: ") {
		t.Errorf("exit code %d: %s", code, got)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, code := replayed(empty); code != exitOK || got != empty+": nothing is recorded in it\n" {
		t.Errorf("exit code %d: %s", code, got)
	}
}

// TestCommandFlagsHaveNoVariable checks that variables with the names of a command's own flags have no effect.
func TestCommandFlagsHaveNoVariable(t *testing.T) {
	t.Setenv("JSON", "true")
	t.Setenv("SET", "nonsense")
	if got, code := replayed(recordings + "jicofo_overloaded.jsonl"); code != exitOK ||
		!strings.HasPrefix(got, "run of 2026-03-01T03:00:00.000Z") {
		t.Errorf("exit code %d: %s", code, got)
	}
}
