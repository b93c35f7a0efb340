package health_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// recorder records what a Monitor publishes, as files of a few steps each.
type recorder struct {
	encoder health.RecordingEncoder
	perFile int // steps; 0 for one file
	steps   int
	files   []bytes.Buffer
	changes [][]health.Change // of each file
	failure error
}

func (r *recorder) listen(_ context.Context, s health.Step, _ *health.Snapshot) {
	if len(r.files) == 0 || r.steps == 0 || r.perFile > 0 && r.steps%r.perFile == 0 {
		r.files, r.changes = append(r.files, bytes.Buffer{}), append(r.changes, nil)
		r.write(r.encoder.Header(s))
	}
	r.write(r.encoder.Lines(s))
	last := len(r.changes) - 1
	r.changes[last] = append(r.changes[last], s.Changes...)
	r.steps++
}

func (r *recorder) write(text []byte, err error) {
	if err != nil {
		r.failure = err
	}
	r.files[len(r.files)-1].Write(text)
}

// TestReplayGivesWhatWasRecorded: whatever a Monitor sees and whenever, deadlines and rotation included, each file of the
// recording replays to the changes that were published while it was written.
func TestReplayGivesWhatWasRecorded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := &recorder{perFile: rapid.IntRange(0, 5).Draw(rt, "steps in a file")}
		cfg := drawConfig(rt)
		plan := drawLiveRun(rt, cfg)
		synctest.Test(t, func(t *testing.T) { plan.play(t, cfg, r.listen) })
		if r.failure != nil {
			rt.Fatal(r.failure)
		}
		for i := range r.files {
			checkReplay(rt, r.files[i].String(), r.changes[i])
		}
	})
}

// liveRun is what happens to a Monitor that runs under virtual time.
type liveRun []liveStep

type liveStep struct {
	pass        time.Duration
	toDeadline  bool          // pass to the deadline instead, if there is one, and by ns further
	ns          time.Duration // -1 to 1
	timerFirst  bool          // the Monitor's timer fires before the observation
	knownBefore time.Duration // the observation was made so long before it is taken in
	o           *health.Observation
}

func drawLiveRun(t *rapid.T, cfg health.Config) liveRun {
	var run liveRun
	for _, s := range startWorking(t) {
		run = append(run, liveStep{o: s.o})
	}
	for range rapid.IntRange(1, 20).Draw(t, "steps") {
		run = append(run, liveStep{
			rapid.SampledFrom([]time.Duration{0, 1, time.Second, 4 * time.Second, 31 * time.Second, 121 * time.Second}).Draw(t, "pass"),
			rapid.Bool().Draw(t, "to the deadline"), time.Duration(rapid.IntRange(-1, 1).Draw(t, "ns")),
			rapid.Bool().Draw(t, "timer first"), rapid.SampledFrom([]time.Duration{0, 0, 1, time.Second}).Draw(t, "known before"),
			drawObservation(t, cfg),
		})
	}
	return run
}

// play plays the steps in a synctest bubble.
func (run liveRun) play(t *testing.T, cfg health.Config, listener health.Listener) {
	monitor := health.NewMonitor(cfg, listener)
	stop := runMonitor(monitor)
	for _, s := range run {
		pass := s.pass
		if until := monitor.Current().Verdict.Until; !until.IsZero() && s.toDeadline {
			pass = time.Until(until) + s.ns
		}
		time.Sleep(pass) // virtual
		if s.timerFirst {
			synctest.Wait()
		}
		o := *s.o
		o.At = time.Now().Add(-s.knownBefore)
		monitor.Observe(t.Context(), o)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func checkReplay(t *rapid.T, text string, changes []health.Change) {
	recording := health.ReadRecording(strings.NewReader(text))
	if len(recording.Problems) > 0 || len(recording.Runs) != 1 {
		t.Fatalf("%d runs, problems %v in\n%s", len(recording.Runs), recording.Problems, text)
	}
	run := recording.Runs[0]
	if p := run.Compare(); p != nil {
		t.Fatalf("line %d: %s\n%s", p.Line, p.Reason, text)
	}
	if len(run.Recorded) != len(changes) {
		t.Fatalf("%d changes recorded, %d published\n%s", len(run.Recorded), len(changes), text)
	}
	for i, c := range run.Replay(run.Config) {
		if want := changes[i].To; !c.To.Same(want) || c.To.Incident != want.Incident || !c.At.Equal(changes[i].At) {
			t.Fatalf("replayed %s, published %s\n%s", c, changes[i], text)
		}
	}
}

// TestCheckpoint: a machine that goes on from its JSON says what the original says, reasons and their moments included.
func TestCheckpoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		twin := health.NewMachine(cfg)
		drawTimeline(t, cfg, func(m *health.Machine, s step, _ time.Duration, v health.Verdict) {
			if same := s.take(twin); !reflect.DeepEqual(v, same) {
				t.Fatalf("%s: the original says %+v, the one from JSON %+v", s, v, same)
			}
			state, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			twin = health.NewMachine(cfg)
			if err := json.Unmarshal(state, twin); err != nil {
				t.Fatal(err)
			}
			if again, _ := json.Marshal(twin); !bytes.Equal(state, again) {
				t.Fatalf("%s turned into %s", state, again)
			}
		})
	})
}

// TestRecordings replays every recording of testdata: a recorded incident is a regression test. To add one, copy the
// file that RECORD_PATH named.
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
			recording := health.ReadRecording(bytes.NewReader(text))
			for _, p := range recording.Problems {
				t.Errorf("%s:%d: %s", file, p.Line, p.Reason)
			}
			changes := 0
			for _, run := range recording.Runs {
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

// goodRecording is a run of a node that is overloaded for a while, as text.
func goodRecording() string {
	r := new(recorder)
	n, monitor := workingNode(), health.NewMonitor(defaultConfig(), r.listen)
	for second, jicofo := range []int{200, 200, 503, 503, 200, 200} {
		n.jicofo.Health.Code = jicofo
		for _, each := range []part{partJicofo, partProsody, partStatusFile} {
			monitor.Observe(context.Background(), n.observe(each, epoch.Add(time.Duration(second)*time.Second)))
		}
	}
	return r.files[0].String()
}

// TestBadRecordings: what cannot be read is told with its line, and the rest is replayed.
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
		{"cut off", all[:len(all)-9], []string{fmt.Sprintf("%d: cut off, or not JSON: unexpected end of JSON input", last)}, 1},
		{"cut off, then restarted", all[:len(all)-9] + "\n" + all, []string{fmt.Sprintf("%d: not JSON: invalid character '\\n' in string literal", last)}, 2},
		{"corrupt", with(3, "{\"t\":\x00\n"), []string{`4: not JSON: invalid character '\x00' looking for beginning of value`}, 1},
		{"foreign", "the quick\nbrown fox\n", []string{
			"1: not JSON: invalid character 'h' in literal true (expecting 'r')", "2: not JSON: invalid character 'b' looking for beginning of value",
		}, 0},
		{"foreign JSON", "{\"level\":\"info\"}\n[1]\n7\n", []string{
			"1: neither a header nor an observation nor a verdict: not a recording of signal-sidecar",
			"2: neither a header nor an observation nor a verdict: not a recording of signal-sidecar",
			"3: neither a header nor an observation nor a verdict: not a recording of signal-sidecar",
		}, 0},
		{"no header", strings.Join(good[1:], ""), []string{"1: not replayed, with what follows: there is no header before it that could be read"}, 0},
		{"corrupt header", with(0, good[0][:40]+"\n"), []string{
			"1: not JSON: unexpected end of JSON input", "2: not replayed, with what follows: there is no header before it that could be read",
		}, 0},
		{"another format", `{"recording":"signal-sidecar/2"}`, []string{`1: recording format "signal-sidecar/2", but only "signal-sidecar/1" is known`}, 0},
		{"no config", `{"recording":"signal-sidecar/1","start":"2026-03-01T12:00:00Z"}`, []string{"1: a header without start or config"}, 0},
		{"impossible config", strings.Replace(good[0], `"jicofo"`, `"hard"`, 1), []string{`1: a header whose config cannot be used: DRAIN_GRACE_SCOPE is "hard"`}, 0},
		{"negative interval", strings.Replace(good[0], `"30s"`, `"-30s"`, 1), []string{`1: negative interval -30s`}, 0},
		{"another type", with(3, "{\"t\":\"soon\"}\n"), []string{"4: t is a JSON string, not what is recorded there"}, 1},
		{"backwards", with(3, "{\"t\":-1,\"observation\":{\"census\":{}}}\n"), []string{"4: t is -1, but time does not run backwards"}, 1},
		{"two parts", with(3, "{\"t\":0,\"observation\":{\"census\":{},\"prosody\":{}}}\n"), []string{"4: an observation of 2 parts instead of one"}, 1},
		{"too long", with(3, strings.Repeat("x", health.MaxRecordingLine)+"\n"), []string{"4: longer than 1 MiB"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			recording := health.ReadRecording(strings.NewReader(c.text))
			var problems []string
			for _, p := range recording.Problems {
				problems = append(problems, fmt.Sprintf("%d: %s", p.Line, p.Reason))
			}
			if !slices.Equal(problems, c.problems) || len(recording.Runs) != c.runs {
				t.Errorf("%d runs, problems %q; want %d, %q", len(recording.Runs), problems, c.runs, c.problems)
			}
			for _, run := range recording.Runs {
				if changes := run.Replay(run.Config); len(changes) == 0 {
					t.Errorf("line %d: nothing was replayed", run.Line)
				}
			}
		})
	}
}

// TestProblemsAreBounded: a large foreign file does not fill the memory with its problems.
func TestProblemsAreBounded(t *testing.T) {
	recording := health.ReadRecording(strings.NewReader(strings.Repeat("x\n", 1000)))
	if len(recording.Problems) != 100 || recording.Unread != 1000 {
		t.Errorf("%d problems kept of %d, want 100 of 1000", len(recording.Problems), recording.Unread)
	}
}

// TestReplayEndsWithTheRecording: a deadline after the last line was not seen, and is not invented.
func TestReplayEndsWithTheRecording(t *testing.T) {
	lines := strings.SplitAfter(goodRecording(), "\n")
	overloaded := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"agent":"up drain 0%"`) })
	run := health.ReadRecording(strings.NewReader(strings.Join(lines[:overloaded+1], ""))).Runs[0]
	changes := run.Replay(run.Config)
	if got := changes[len(changes)-1].To; got.AgentLine() != "up drain 0%" || got.Until.IsZero() {
		t.Errorf("the replay ends with %+v, want the drain whose deadline is still to come", got)
	}
}

// TestReplayUnderAnotherConfig: without the grace, the node goes down at once.
func TestReplayUnderAnotherConfig(t *testing.T) {
	run := health.ReadRecording(strings.NewReader(goodRecording())).Runs[0]
	cfg := run.Config
	cfg.DrainGrace = 0
	changes := run.Replay(cfg)
	if len(changes) < 2 || changes[1].To.AgentLine() != "down ready 100%" || !changes[1].At.Equal(epoch.Add(2*time.Second)) {
		t.Errorf("the changes are %v", changes)
	}
}

// FuzzReadRecording: no input makes the reader or a replay fail, and whatever can be read replays under any settings.
func FuzzReadRecording(f *testing.F) {
	f.Add([]byte(goodRecording()))
	f.Add([]byte(goodRecording()[:999]))
	f.Add([]byte("{\"recording\":\"signal-sidecar/1\",\"start\":\"9999-12-31T23:59:59Z\",\"config\":{\"PARTICIPANT_MAX\":1,\"DRAIN_GRACE_SCOPE\":\"soft\"},\"machine\":null}\n{\"t\":9223372036854775807,\"verdict\":{\"until\":-1}}\n"))
	f.Add([]byte("{}\n[]\nnull\n\n{\"t\":1}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, run := range health.ReadRecording(bytes.NewReader(text)).Runs {
			run.Compare()
			run.Replay(health.Config{ParticipantMax: 1, DrainGrace: 1, HealthDampening: 1, DrainGraceScope: health.ScopeSoft})
		}
	})
}
