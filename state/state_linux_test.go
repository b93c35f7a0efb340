package state_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/goleak"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/state"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestMain fails the package if a goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var rules = health.Config{
	ParticipantMax: 5000, HealthDampening: 30 * time.Second, DrainGrace: 120 * time.Second,
	DrainGraceScope: health.ScopeJicofo,
}

// process is a Monitor and its Keeper, as in a process of the sidecar.
type process struct {
	*state.Keeper
	*health.Monitor
	log   *testbed.LogBuffer
	saved *state.Saved
	stop  func()
}

// start starts a process that continues with the state in the file.
func start(t *testing.T, path string, cfg health.Config) *process {
	t.Helper()
	p := &process{log: new(testbed.LogBuffer)}
	var err error
	p.Keeper, err = state.New(state.Options{
		Path: path, Rules: cfg, MeterProvider: noop.NewMeterProvider(), Logger: slog.New(slog.NewTextHandler(p.log, nil)),
	})
	testbed.Must(t, err)
	p.Monitor = health.NewMonitor(cfg, p.Listen)
	if p.saved = p.Load(t.Context()); p.saved != nil {
		p.Restore(p.saved.Checkpoint, p.saved.Age)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- p.Keeper.Run(ctx) }()
	go func() { ended <- p.Monitor.Run(ctx) }()
	p.stop = func() {
		cancel()
		for range 2 {
			testbed.Must(t, <-ended)
		}
	}
	return p
}

// see observes a node whose jicofo and prosody answer with these codes.
func (p *process) see(jicofo, prosody int) {
	answer := func(code int) health.Answer { return health.Answer{Code: code} }
	for _, o := range []health.Observation{
		{Jicofo: &health.Jicofo{Health: answer(jicofo), Stats: answer(200)}},
		{Prosody: &health.Prosody{Health: answer(prosody)}},
		{StatusFile: &health.StatusFile{Found: true, Contents: "ready"}},
	} {
		o.At = time.Now()
		p.Observe(context.Background(), o)
	}
}

func (p *process) line() string { return p.Current().Verdict.AgentLine() }

// contents returns the state in the file. It fails the test if the file is not JSON.
func contents(t *testing.T, path string) (c struct {
	Checkpoint health.Checkpoint `json:"checkpoint"`
	Applied    *state.Applied    `json:"consul_applied"`
},
) {
	t.Helper()
	text, err := os.ReadFile(path)
	testbed.Must(t, err)
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

// TestRestart checks that a process continues with the state that another one has left behind without a stop.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state.json")
		first := start(t, path, rules)
		if log := first.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "no state is restored") {
			t.Errorf("the log is\n%s", log)
		}
		first.see(200, 200)
		first.see(503, 200)
		first.SetApplied(state.Applied{Key: "shard-state", ModifyIndex: 7})
		deadline := first.Current().Verdict.Until
		time.Sleep(100 * time.Millisecond) // the limit of spec section 10
		text, err := os.ReadFile(path)
		testbed.Must(t, err)
		first.stop()
		testbed.Must(t, os.WriteFile(path, text, 0o600)) // as if it had been killed

		second := start(t, path, rules)
		applied := state.Applied{Key: "shard-state", ModifyIndex: 7}
		if second.saved == nil || !reflect.DeepEqual(second.saved.Applied, &applied) ||
			!strings.Contains(second.log.String(), `agent_line="up drain 0%"`) {
			t.Fatalf("restored %+v\n%s", second.saved, second.log)
		}
		if second.line() != "" {
			t.Errorf("before an observation it is %q", second.line())
		}
		second.see(503, 200)
		if off := second.Current().Verdict.Until.Sub(deadline).Abs(); second.line() != "up drain 0%" || off > time.Second {
			t.Errorf("%q, and the deadline moved by %s", second.line(), off)
		}
		second.stop()
		if c := contents(t, path); c.Applied == nil || c.Applied.ModifyIndex != 7 {
			t.Errorf("the applied value of Consul was lost: %+v", c)
		}
	})
}

// TestWritten checks when the file is written.
func TestWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state.json")
		p := start(t, path, rules)
		p.Observe(t.Context(), health.Observation{At: time.Now(), Prosody: &health.Prosody{Health: health.Answer{Code: 503}}})
		time.Sleep(time.Second)
		if _, err := os.Stat(path); err == nil {
			t.Error("written before the first verdict")
		}
		nothing := func() {}
		for _, c := range []struct {
			what    string
			happens func()
			pass    time.Duration
			line    string
			written bool
		}{
			{"first verdict", func() { p.see(200, 500) }, 100 * time.Millisecond, "down ready 100%", true},
			{"time", nothing, time.Minute, "down ready 100%", true},
			{"up", func() { p.see(200, 200) }, 100 * time.Millisecond, "up ready 100%", true},
			{"no change", func() { p.see(200, 200) }, time.Second, "up ready 100%", false},
			{"refreshed", nothing, 20 * time.Second, "up ready 100%", true},
			{"many changes", func() {
				for range 20 {
					p.see(200, 500)
					p.see(503, 200)
				}
			}, 100 * time.Millisecond, "down ready 100%", true},
		} {
			old, err := os.Open(path) // while it is open, no other file can have its number
			c.happens()
			time.Sleep(c.pass)
			after, statErr := os.Stat(path)
			testbed.Must(t, statErr)
			line, written := contents(t, path).Checkpoint.AgentLine, true
			if err == nil {
				before, err := old.Stat()
				testbed.Must(t, errors.Join(err, old.Close()))
				written = !os.SameFile(before, after)
			}
			if line != c.line || written != c.written || after.Mode() != 0o600 {
				t.Errorf("%s: %q, written: %t, mode %s; want %q, %t", c.what, line, written, after.Mode(), c.line, c.written)
			}
		}
		p.stop()
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 1 {
			t.Errorf("the folder has %v", left)
		}
	})
}

// TestBadFiles checks that a file that cannot be believed is ignored with one line in the log, at once.
func TestBadFiles(t *testing.T) {
	good := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "state.json")
		p := start(t, path, rules)
		p.see(200, 200)
		p.stop()
		text, err := os.ReadFile(path)
		testbed.Must(t, err)
		return string(text)
	}
	text := good(t)
	replace := func(name string, value any) string {
		var all map[string]any
		testbed.Must(t, json.Unmarshal([]byte(text), &all))
		all[name] = value
		edited, err := json.Marshal(all)
		testbed.Must(t, err)
		return string(edited)
	}
	var c struct {
		SinceBoot time.Duration `json:"since_boot"`
	}
	testbed.Must(t, json.Unmarshal([]byte(text), &c))
	write := func(text string) func(path string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	for _, bad := range []struct {
		name, level, reason string
		create              func(path string) error
	}{
		{"good", "INFO", "", write(text)},
		{"missing", "INFO", "does not exist", func(string) error { return nil }},
		{"empty", "WARN", "not JSON", write("")},
		{"garbage", "WARN", "not JSON", write("\x00\x01")},
		{"cut off", "WARN", "not JSON", write(text[:len(text)/2])},
		{"more text", "WARN", "not JSON", write(text + text)},
		{"other JSON", "WARN", "format 0", write("[]")},
		{"other version", "WARN", "format 2", write(replace("version", 2))},
		{"other type", "WARN", "not the format of a state", write(replace("checkpoint", "none"))},
		{"impossible", "WARN", "an age of -1ns", write(replace("checkpoint", map[string]any{"unhealthy_age": -1}))},
		{"another boot", "INFO", "before the last boot", write(replace("boot_id", "3e0c0d5f-6a2b-4b1e-8f35-1f4f5f6a7b8c"))},
		{"old", "INFO", "3m1s old, and at most 3m0s", write(replace("since_boot", c.SinceBoot-181*time.Second))},
		{"not yet too old", "INFO", "", write(replace("since_boot", c.SinceBoot-170*time.Second))},
		{"future", "WARN", "in the future", write(replace("since_boot", c.SinceBoot+time.Hour))},
		{"before the boot", "WARN", "before the boot", write(replace("since_boot", -1))},
		{"too large", "WARN", "larger than", write(text + strings.Repeat(" ", 64<<10))},
		{"directory", "WARN", "not a regular file", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"pipe", "WARN", "not a regular file", func(path string) error { return syscall.Mkfifo(path, 0o600) }},
		{"symbolic link", "WARN", "symbolic link", func(path string) error {
			return os.Symlink("/etc/hostname", path)
		}},
		{"device", "WARN", "not a regular file", func(path string) error {
			if err := syscall.Mknod(path, syscall.S_IFCHR|0o600, 1<<8|5); err != nil { // /dev/zero
				return os.Mkdir(path, 0o700) // without the permission for devices
			}
			return nil
		}},
	} {
		t.Run(bad.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.json")
			testbed.Must(t, bad.create(path))
			began := time.Now()
			p := start(t, path, rules)
			defer p.stop()
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
			log := p.log.String()
			if strings.Count(log, "\n") != 1 || !strings.Contains(log, "level="+bad.level) || !strings.Contains(log, bad.reason) {
				t.Errorf("the log is\n%s\nwant %s: %s", log, bad.level, bad.reason)
			}
			if (p.saved != nil) != (bad.reason == "") {
				t.Errorf("restored %+v", p.saved)
			}
		})
	}
}

// TestWriteFails checks that a state that cannot be written is logged once, that the verdict does not suffer, and that
// writing goes on when it is possible again. What is no regular file is never replaced.
func TestWriteFails(t *testing.T) {
	for _, c := range []struct {
		name          string
		create, clear func(path string) error
	}{
		{"no folder", func(path string) error { return os.Remove(filepath.Dir(path)) },
			func(path string) error { return os.Mkdir(filepath.Dir(path), 0o700) }},
		{"directory", func(path string) error { return os.Mkdir(path, 0o700) }, os.Remove},
		{"symbolic link", func(path string) error { return os.Symlink("/dev/null", path) }, os.Remove},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "folder", "state.json")
				testbed.Must(t, os.Mkdir(filepath.Dir(path), 0o700))
				testbed.Must(t, c.create(path))
				p := start(t, path, rules)
				for range 3 {
					p.see(200, 200)
					time.Sleep(time.Second)
				}
				if log := p.log.String(); strings.Count(log, "state is not written") != 1 || p.line() != "up ready 100%" {
					t.Errorf("%q, and the log is\n%s", p.line(), log)
				}
				testbed.Must(t, c.clear(path))
				p.see(200, 200)
				time.Sleep(time.Second)
				if log := p.log.String(); strings.Count(log, "state is written again") != 1 {
					t.Errorf("the log is\n%s", log)
				}
				if line := contents(t, path).Checkpoint.AgentLine; line != "up ready 100%" {
					t.Errorf("written %q", line)
				}
				p.stop()
			})
		})
	}
}

// TestLeftTemporaryFile checks that a temporary file of a process that was killed does no harm.
func TestLeftTemporaryFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state.json")
		target := filepath.Join(t.TempDir(), "target")
		testbed.Must(t, os.WriteFile(target, []byte("untouched"), 0o600))
		testbed.Must(t, os.Symlink(target, filepath.Join(filepath.Dir(path), ".state.json.tmp")))
		p := start(t, path, rules)
		p.see(200, 200)
		p.stop()
		line, kept := contents(t, path).Checkpoint.AgentLine, testbed.Contents(target)
		if line != "up ready 100%" || kept != "untouched" {
			t.Errorf("written %q, and the target of a link holds %q", line, kept)
		}
	})
}
