package recording_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/recording"
	"github.com/signal-sidecar/signal-sidecar/testbed/recorder"
)

// TestRecordings replays every recording in testdata, so a recorded incident is a regression test. To add one, copy the
// file at RECORD_PATH.
func TestRecordings(t *testing.T) {
	files, err := filepath.Glob("testdata/recordings/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings found: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			read := recording.Read(bytes.NewReader(text))
			for _, p := range read.Problems {
				t.Errorf("%s:%d: %s", file, p.Line, p.Reason)
			}
			changes := 0
			for _, run := range read.Runs {
				changes += len(run.Recorded)
				if p := run.Compare(); p != nil {
					t.Errorf("%s:%d: %s", file, p.Line, p.Reason)
				}
			}
			if changes == 0 {
				t.Errorf("%s: a recording without a change shows nothing", file)
			}
		})
	}
}

// goodRecording returns the recording of a node that is overloaded for a while.
func goodRecording() string {
	r := new(recorder.Recorder)
	monitor := health.NewMonitor(settings, r.Listen)
	for second, jicofo := range []int{200, 200, 503, 503, 200, 200} {
		n := workingNode()
		n.jicofo.Health.Code = jicofo
		for _, o := range n.observe() {
			o.At = epoch.Add(time.Duration(second) * time.Second)
			monitor.Observe(context.Background(), o)
		}
	}
	return r.Files[0].String()
}

// TestBadRecordings checks that unreadable lines are reported with their number, and that the rest is replayed.
func TestBadRecordings(t *testing.T) {
	good := strings.SplitAfter(strings.TrimSuffix(goodRecording(), "\n"), "\n")
	with := func(i int, line string) string {
		lines := slices.Clone(good)
		lines[i] = line
		return strings.Join(lines, "")
	}
	all := strings.Join(good, "")
	last := len(good)
	for _, c := range []struct {
		name, text string
		problems   []string
		runs       int
	}{
		{"empty", "", nil, 0},
		{"whole", all, nil, 1},
		{"two runs", all + "\n" + all, nil, 2},
		{"cut off", all[:len(all)-9],
			[]string{fmt.Sprintf("%d: cut off, or not JSON: unexpected end of JSON input", last)}, 1},
		{"cut off, then restarted", all[:len(all)-9] + "\n" + all,
			[]string{fmt.Sprintf("%d: not JSON: invalid character '\\n' in string literal", last)}, 2},
		{"corrupt", with(3, "{\"t\":\x00\n"),
			[]string{`4: not JSON: invalid character '\x00' looking for beginning of value`}, 1},
		{"foreign", "the quick\nbrown fox\n", []string{
			"1: not JSON: invalid character 'h' in literal true (expecting 'r')",
			"2: not JSON: invalid character 'b' looking for beginning of value",
		}, 0},
		{"foreign JSON", "{\"level\":\"info\"}\n[1]\n7\n", []string{
			"1: neither a header nor an observation nor a verdict: not a recording of signal-sidecar",
			"2: neither a header nor an observation nor a verdict: not a recording of signal-sidecar",
			"3: neither a header nor an observation nor a verdict: not a recording of signal-sidecar",
		}, 0},
		{"no header", strings.Join(good[1:], ""),
			[]string{"1: not replayed, with what follows: there is no header before it that could be read"}, 0},
		{"corrupt header", with(0, good[0][:40]+"\n"), []string{
			"1: not JSON: unexpected end of JSON input",
			"2: not replayed, with what follows: there is no header before it that could be read",
		}, 0},
		{"another format", `{"recording":"signal-sidecar/2"}`,
			[]string{`1: recording format "signal-sidecar/2", but only "signal-sidecar/1" is known`}, 0},
		{"no config", `{"recording":"signal-sidecar/1","start":"2026-03-01T12:00:00Z"}`,
			[]string{"1: a header without start or config"}, 0},
		{"impossible config", strings.Replace(good[0], `"jicofo"`, `"hard"`, 1),
			[]string{`1: a header whose config cannot be used: DRAIN_GRACE_SCOPE is "hard"`}, 0},
		{"negative interval", strings.Replace(good[0], `"30s"`, `"-30s"`, 1), []string{`1: negative interval -30s`}, 0},
		{"another type", with(3, "{\"t\":\"soon\"}\n"), []string{"4: t is a JSON string, not what is recorded there"}, 1},
		{"backwards", with(3, "{\"t\":-1,\"observation\":{\"census\":{}}}\n"),
			[]string{"4: t is -1, but time does not run backwards"}, 1},
		{"two parts", with(3, "{\"t\":0,\"observation\":{\"census\":{},\"prosody\":{}}}\n"),
			[]string{"4: an observation of 2 parts instead of one"}, 1},
		{"too long", with(3, strings.Repeat("x", recording.MaxLine)+"\n"), []string{"4: longer than 1 MiB"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			read := recording.Read(strings.NewReader(c.text))
			var problems []string
			for _, p := range read.Problems {
				problems = append(problems, fmt.Sprintf("%d: %s", p.Line, p.Reason))
			}
			if !slices.Equal(problems, c.problems) || len(read.Runs) != c.runs {
				t.Errorf("%d runs, problems %q; want %d, %q", len(read.Runs), problems, c.runs, c.problems)
			}
			for _, run := range read.Runs {
				if changes := run.Replay(run.Config); len(changes) == 0 {
					t.Errorf("line %d: nothing was replayed", run.Line)
				}
			}
		})
	}
}

// TestProblemsAreBounded checks that a large file of another format does not fill the memory with problems.
func TestProblemsAreBounded(t *testing.T) {
	read := recording.Read(strings.NewReader(strings.Repeat("x\n", 1000)))
	if len(read.Problems) != 100 || read.Unread != 1000 {
		t.Errorf("%d problems kept of %d, want 100 of 1000", len(read.Problems), read.Unread)
	}
}

// TestReplayEndsWithTheRecording checks that a replay does not pass a deadline after the last line.
func TestReplayEndsWithTheRecording(t *testing.T) {
	lines := strings.SplitAfter(goodRecording(), "\n")
	overloaded := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"agent":"up drain 0%"`) })
	run := recording.Read(strings.NewReader(strings.Join(lines[:overloaded+1], ""))).Runs[0]
	changes := run.Replay(run.Config)
	if got := changes[len(changes)-1].To; got.AgentLine() != "up drain 0%" || got.Until.IsZero() {
		t.Errorf("the replay ends with %+v, want the drain whose deadline is still to come", got)
	}
}

// TestReplayUnderAnotherConfig checks that the node goes down at once without the grace.
func TestReplayUnderAnotherConfig(t *testing.T) {
	run := recording.Read(strings.NewReader(goodRecording())).Runs[0]
	cfg := run.Config
	cfg.DrainGrace = 0
	changes := run.Replay(cfg)
	if len(changes) < 2 || changes[1].To.AgentLine() != "down ready 100%" ||
		!changes[1].At.Equal(epoch.Add(2*time.Second)) {
		t.Errorf("the changes are %v", changes)
	}
}

// FuzzReadRecording checks that no input makes Read or a replay fail, and that every readable run replays with any
// settings.
func FuzzReadRecording(f *testing.F) {
	f.Add([]byte(goodRecording()))
	f.Add([]byte(goodRecording()[:999]))
	f.Add([]byte("{\"recording\":\"signal-sidecar/1\",\"start\":\"9999-12-31T23:59:59Z\"," +
		"\"config\":{\"PARTICIPANT_MAX\":1,\"DRAIN_GRACE_SCOPE\":\"soft\"},\"machine\":null}\n" +
		"{\"t\":9223372036854775807,\"verdict\":{\"until\":-1}}\n"))
	f.Add([]byte("{}\n[]\nnull\n\n{\"t\":1}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, run := range recording.Read(bytes.NewReader(text)).Runs {
			run.Compare()
			run.Replay(health.Config{ParticipantMax: 1, DrainGrace: 1, HealthDampening: 1, DrainGraceScope: health.ScopeSoft})
		}
		recording.Replay(bytes.NewReader(text), nil, nil)
	})
}
