package testbed_test

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// TestOnlyForTests checks that no package of the product, its simulator or its benchmark imports the testbed, directly
// or indirectly.
func TestOnlyForTests(t *testing.T) {
	const list, testbeds = `{{.ImportPath}} imports {{range .Deps}}{{.}} {{end}}`, "/signal-sidecar/testbed"
	out, err := exec.Command("go", "list", "-f", list, "../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	products := 0
	for line := range strings.Lines(string(out)) {
		importer, imports, found := strings.Cut(line, " imports ")
		if !found || strings.Contains(importer, testbeds) {
			continue
		}
		products++
		for path := range strings.FieldsSeq(imports) {
			if strings.Contains(path, testbeds) {
				t.Errorf("%s imports %s", importer, path)
			}
		}
	}
	if products < 10 {
		t.Errorf("go list knows only %d packages:\n%s", products, out)
	}
}

// witness is a testing.TB that records how a part of a test ended, without ending the test.
type witness struct {
	testing.TB
	ended string
}

func (w *witness) Helper()                        {}
func (w *witness) Skip(...any)                    { w.end("skipped") }
func (w *witness) Fatal(...any)                   { w.end("failed") }
func (w *witness) Fatalf(format string, _ ...any) { w.end("failed") }

func (w *witness) end(how string) {
	w.ended = how
	runtime.Goexit() // as the methods of a real test do
}

// outcome runs a part of a test. It returns "skipped" or "failed", or "" if the part ran to its end.
func outcome(t *testing.T, part func(testing.TB)) string {
	w := &witness{TB: t}
	var run sync.WaitGroup
	run.Go(func() { part(w) })
	run.Wait()
	return w.ended
}

func TestEventually(t *testing.T) {
	looks := 0
	third := func() bool { looks++; return looks == 3 }
	if failed := outcome(t,
		func(t testing.TB) { testbed.Eventually(t, "the third look", time.Minute, third) }); failed != "" || looks != 3 {
		t.Errorf("%q after %d looks", failed, looks)
	}
	if failed := outcome(t, func(t testing.TB) {
		testbed.Eventually(t, "nothing", 20*time.Millisecond, func() bool { return false })
	}); failed != "failed" {
		t.Errorf("what never holds: %q", failed)
	}
}

// TestLogBuffer reads the buffer while it is written.
func TestLogBuffer(t *testing.T) {
	var b testbed.LogBuffer
	var writing sync.WaitGroup
	for range 4 {
		writing.Go(func() {
			for range 100 {
				_, _ = b.Write([]byte("line\n"))
			}
		})
	}
	for len(b.Lines()) < 100 {
		runtime.Gosched()
	}
	writing.Wait()
	if n := strings.Count(b.String(), "line\n"); n != 400 || len(b.Lines()) != 400 {
		t.Errorf("%d lines, %d", n, len(b.Lines()))
	}
}

// TestBackground checks that the end of the context ends the function, and that Stop reports a function that does not
// end.
func TestBackground(t *testing.T) {
	failed := errors.New("failed")
	stop, ended := testbed.Background(func(ctx context.Context) error { <-ctx.Done(); return failed }, time.Minute)
	for range 2 {
		if err := stop(); !errors.Is(err, failed) {
			t.Errorf("stop returned %v", err)
		}
	}
	<-ended
	release := make(chan struct{})
	stop, ended = testbed.Background(func(context.Context) error { <-release; return nil }, time.Millisecond)
	if err := stop(); err == nil {
		t.Error("what does not end is not told")
	}
	close(release)
	<-ended
}

// TestMissing checks that a missing thing skips a test, and fails it in CI.
func TestMissing(t *testing.T) {
	for ci, want := range map[string]string{"": "skipped", "true": "failed"} {
		t.Setenv("CI", ci)
		if got := outcome(t, func(t testing.TB) { testbed.Component(t, "no-such-program") }); got != want {
			t.Errorf("CI=%q: %s instead of %s", ci, got, want)
		}
	}
	if path := testbed.Component(t, "sh"); path == "" {
		t.Error("there is no sh")
	}
}

// TestBinary checks that the binary is built once, and runs.
func TestBinary(t *testing.T) {
	path := testbed.Binary(t)
	if again := testbed.Binary(t); again != path {
		t.Errorf("%s, then %s", path, again)
	}
	if out, err := exec.Command(path, "version").CombinedOutput(); err != nil ||
		!strings.HasPrefix(string(out), "signal-sidecar ") {
		t.Errorf("version: %v, %s", err, out)
	}
}
