package recording_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/recording"
)

// sidecar is a Monitor and its Recorder that run in a bubble.
type sidecar struct {
	monitor *health.Monitor
	log     bytes.Buffer
	steps   steps
	changes int
	stop    func()
}

// steps reads the number of steps counted as written and as lost.
type steps struct{ *sdkmetric.ManualReader }

func newSteps() (steps, metric.MeterProvider) {
	s := steps{sdkmetric.NewManualReader()}
	return s, sdkmetric.NewMeterProvider(sdkmetric.WithReader(s))
}

func (s steps) expect(t *testing.T, written, lost int64) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := s.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, point := range all.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints {
		result, _ := point.Attributes.Value("result")
		got[result.AsString()] = point.Value
	}
	if want := map[string]int64{"written": written, "lost": lost}; !maps.Equal(got, want) {
		t.Errorf("%s: %v, want %v", all.ScopeMetrics[0].Metrics[0].Name, got, want)
	}
}

func startSidecar(t *testing.T, path string, maxSize int64) *sidecar {
	t.Helper()
	s := new(sidecar)
	var meters metric.MeterProvider
	s.steps, meters = newSteps()
	r, err := recording.NewRecorder(recording.Options{
		Path: path, MaxSize: maxSize, MeterProvider: meters, Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	count := func(_ context.Context, step health.Step, _ *health.Snapshot) {
		s.changes += len(step.Changes)
	}
	s.monitor = health.NewMonitor(settings, count, r.Listen)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- r.Run(ctx) }()
	go func() { ended <- s.monitor.Run(ctx) }()
	s.stop = func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	return s
}

// observe makes the observations one second apart, and waits until each has been written.
func (s *sidecar) observe(observations ...health.Observation) {
	for _, o := range observations {
		time.Sleep(time.Second) // virtual
		o.At = time.Now()
		s.monitor.Observe(context.Background(), o)
		synctest.Wait()
	}
}

// boot makes the first observations of a working node.
func (s *sidecar) boot() { s.observe(jicofo(ok, ok), prosody(ok), word("ready")) }

func readFile(t *testing.T, path string) *recording.Recording {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return recording.Read(bytes.NewReader(text))
}

// check replays every run of a file and returns how many runs and changes it has.
func check(t *testing.T, path string) (runs, changes int) {
	t.Helper()
	read := readFile(t, path)
	for _, p := range read.Problems {
		t.Errorf("%s:%d: %s", path, p.Line, p.Reason)
	}
	for _, run := range read.Runs {
		if p := run.Compare(); p != nil {
			t.Errorf("%s:%d: %s", path, p.Line, p.Reason)
		}
		changes += len(run.Recorded)
	}
	return len(read.Runs), changes
}

// bubble runs a test under virtual time, with the path of a recording that does not exist yet.
func bubble(t *testing.T, test func(t *testing.T, path string)) {
	path := filepath.Join(t.TempDir(), "recording.jsonl")
	synctest.Test(t, func(t *testing.T) { test(t, path) })
}

// TestRestartAppends checks that a restart continues the same file with a new run.
func TestRestartAppends(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		for range 2 {
			s := startSidecar(t, path, 1<<20)
			s.boot()
			s.observe(jicofo(unwell, ok))
			time.Sleep(3 * time.Minute) // virtual: the grace ends without an observation
			s.stop()
		}
		if runs, changes := check(t, path); runs != 2 || changes != 6 {
			t.Errorf("%d runs with %d changes, want 2 with 6", runs, changes)
		}
		if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
			t.Errorf("the file's mode is %o, want 640", info.Mode().Perm())
		}
	})
}

// TestCrashInMidLine checks that a crash in the middle of a line loses only that line.
func TestCrashInMidLine(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		s := startSidecar(t, path, 1<<20)
		s.boot()
		s.stop()
		text, _ := os.ReadFile(path)
		if err := os.WriteFile(path, text[:len(text)-20], 0o640); err != nil {
			t.Fatal(err)
		}
		s = startSidecar(t, path, 1<<20)
		s.boot()
		s.stop()
		read := readFile(t, path)
		if len(read.Runs) != 2 || len(read.Problems) != 1 || read.Problems[0].Line != 5 || read.Runs[1].Compare() != nil {
			t.Errorf("%d runs, problems %v, want 2 and one of line 5", len(read.Runs), read.Problems)
		}
	})
}

// TestRotation checks that full files are renamed, that five are kept, and that each of them replays separately.
func TestRotation(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		s := startSidecar(t, path, 2000)
		s.boot()
		for i := range 40 {
			s.observe(prosody(ok), word([]string{"ready", "maint"}[i%2]))
		}
		s.stop()
		for n := range 5 {
			if runs, changes := check(t, numbered(path, n)); runs != 1 || changes == 0 && n > 0 {
				t.Errorf("file %d: %d runs, %d changes", n, runs, changes)
			}
		}
		if _, err := os.Stat(numbered(path, 5)); err == nil {
			t.Error("a sixth file was kept")
		}
	})
}

func numbered(path string, n int) string {
	if n == 0 {
		return path
	}
	return fmt.Sprintf("%s.%d", path, n)
}

// TestRecordedIsReplayed checks for random observations and rotations that all files of a recording replay to what was
// published.
func TestRecordedIsReplayed(t *testing.T) {
	folder := t.TempDir()
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		path := filepath.Join(folder, fmt.Sprintf("%d.jsonl", round))
		every := rapid.SampledFrom([]health.Observation{
			jicofo(ok, ok), jicofo(unwell, ok), jicofo(ok, refused), prosody(ok), prosody(refused),
			prosody(health.Answer{Failure: health.FailureTimeout}), word("ready"), word("maint"), word("unhealthy"),
		})
		observations := rapid.SliceOfN(every, 1, 15).Draw(rt, "observations")
		pauses := rapid.SliceOfN(rapid.IntRange(0, 130), len(observations), len(observations)).Draw(rt, "pauses")
		size := rapid.Int64Range(3500, 9000).Draw(rt, "size") // five files hold everything
		synctest.Test(t, func(t *testing.T) {
			s := startSidecar(t, path, size)
			s.boot()
			for i, o := range observations {
				time.Sleep(time.Duration(pauses[i]) * time.Second) // virtual
				s.observe(o)
			}
			s.stop()
			recorded := 0
			for n := range 5 {
				if _, err := os.Stat(numbered(path, n)); err == nil {
					_, changes := check(t, numbered(path, n))
					recorded += changes
				}
			}
			if recorded != s.changes {
				t.Errorf("%d changes are recorded, %d were published", recorded, s.changes)
			}
		})
		if t.Failed() {
			rt.Fatal("see above")
		}
	})
}

// TestFolderRemoved checks that the recording fails while its folder is missing, logs this once, and then continues by
// itself.
func TestFolderRemoved(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		folder := filepath.Join(filepath.Dir(path), "folder")
		path = filepath.Join(folder, "recording.jsonl")
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		s := startSidecar(t, path, 1<<20)
		s.boot()
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			s.observe(prosody(ok))
		}
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			s.observe(prosody(ok))
		}
		s.observe(word("maint"))
		s.stop()
		if runs, changes := check(t, path); runs != 1 || changes != 1 {
			t.Errorf("%d runs with %d changes, want 1 with 1", runs, changes)
		}
		log := s.log.String()
		if strings.Count(log, "recording fails") != 1 || strings.Count(log, "recording goes on") != 1 ||
			strings.Count(log, "\n") != 2 {
			t.Errorf("the log is\n%s", log)
		}
	})
}

// TestFileMovedAway checks that a file moved by a tool such as logrotate is replaced by a new one, and that no step is
// lost.
func TestFileMovedAway(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		s := startSidecar(t, path, 1<<20)
		s.boot()
		if err := os.Rename(path, path+".old"); err != nil {
			t.Fatal(err)
		}
		s.observe(word("drain"), word("ready"))
		s.stop()
		if runs, changes := check(t, path); runs != 1 || changes != 2 {
			t.Errorf("the new file has %d runs with %d changes, want 1 with 2", runs, changes)
		}
		check(t, path+".old")
		if s.log.Len() > 0 {
			t.Errorf("the log is\n%s", s.log.String())
		}
	})
}

// TestNoRegularFile checks that a path that cannot be written to is logged once, and that nothing waits for it.
func TestNoRegularFile(t *testing.T) {
	for _, c := range []struct {
		name   string
		create func(path string) error
	}{
		{"directory", func(path string) error { return os.Mkdir(path, 0o755) }},
		{"pipe", func(path string) error { return syscall.Mkfifo(path, 0o644) }},
		{"symbolic link", func(path string) error {
			return errors.Join(os.WriteFile(path+".status", []byte("ready"), 0o600), os.Symlink(path+".status", path))
		}},
		{"no folder", func(path string) error { return os.Symlink(path+"/no/such", path) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, path string) {
				if err := c.create(path); err != nil {
					t.Fatal(err)
				}
				s := startSidecar(t, path, 1<<20)
				s.boot()
				s.observe(prosody(ok), prosody(ok), prosody(ok))
				s.stop()
				if log := s.log.String(); strings.Count(log, "recording fails") != 1 || strings.Count(log, "\n") != 1 {
					t.Errorf("the log is\n%s", log)
				}
				s.steps.expect(t, 0, 6)
				if s.monitor.Current().Verdict.AgentLine() != "up ready 100%" {
					t.Error("the verdict suffered")
				}
				if target, err := os.ReadFile(path + ".status"); err == nil && string(target) != "ready" {
					t.Errorf("the target of the link holds %q", target)
				}
			})
		})
	}
}

// TestSlowDisk checks that steps are dropped while the disk does not keep up, and that a new run begins afterwards.
func TestSlowDisk(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var log bytes.Buffer
		counted, meters := newSteps()
		r, err := recording.NewRecorder(recording.Options{
			Path: path, MaxSize: 1 << 20, MeterProvider: meters, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		m := health.NewMonitor(settings, r.Listen)
		observe := func(o health.Observation) {
			time.Sleep(time.Second) // virtual
			o.At = time.Now()
			m.Observe(t.Context(), o)
		}
		for _, o := range []health.Observation{jicofo(ok, ok), prosody(ok), word("ready")} {
			observe(o)
		}
		for range 600 { // Run does not run yet, which acts as a very slow disk
			observe(prosody(ok))
		}
		observe(word("maint")) // lost
		counted.expect(t, 0, 92)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		synctest.Wait()
		observe(word("ready"))
		synctest.Wait()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		counted.expect(t, 513, 92)
		if runs, changes := check(t, path); runs != 2 || changes != 2 {
			t.Errorf("%d runs with %d changes, want 2 with 2", runs, changes)
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "recording has a gap") ||
			!strings.Contains(got, "steps=92") {
			t.Errorf("the log is\n%s", got)
		}
	})
}

// TestDiskFull checks that the line that did not fit is lost, and the steps until there is space again. Then a new run
// begins.
func TestDiskFull(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		// The file is larger than any other file that this process writes, because the limit below applies to all of them.
		if err := os.WriteFile(path, bytes.Repeat([]byte("\n"), 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		s := startSidecar(t, path, 1<<30)
		s.boot()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		// A limit on the file size acts as a full disk: a write fails in the middle of a line.
		raise := limitFileSize(t, uint64(info.Size())+450)
		for range 50 {
			s.observe(prosody(ok))
		}
		raise()
		for range 100 {
			s.observe(prosody(ok))
		}
		s.observe(word("maint"))
		s.stop()
		read := readFile(t, path)
		if len(read.Runs) != 2 || len(read.Problems) != 1 || len(read.Runs[1].Recorded) != 1 {
			t.Fatalf("%d runs, problems %v, want 2 and one cut line", len(read.Runs), read.Problems)
		}
		for _, run := range read.Runs {
			if p := run.Compare(); p != nil {
				t.Errorf("%s:%d: %s", path, p.Line, p.Reason)
			}
		}
		if log := s.log.String(); strings.Count(log, "recording fails") != 1 ||
			strings.Count(log, "recording goes on") != 1 || strings.Count(log, "\n") != 2 {
			t.Errorf("the log is\n%s", log)
		}
	})
}

// limitFileSize limits the size in bytes of every file that this process writes, until raise is called.
func limitFileSize(t *testing.T, size uint64) (raise func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
	}
}
