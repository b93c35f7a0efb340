package collector

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// settling calls credible with reads of a real file at chosen times.
type settling struct {
	t    *testing.T
	s    *statusFile
	last *time.Duration // the moment of the latest read
	// path of the file that is read
	path string
}

func newSettling(t *testing.T, believed string) settling {
	path := filepath.Join(t.TempDir(), "shard-status")
	s := &statusFile{path: path, confirm: time.NewTimer(never)}
	t.Cleanup(func() { s.confirm.Stop() })
	if believed != "" {
		s.believed = &health.StatusFile{Found: true, Contents: believed}
	}
	return settling{t, s, new(time.Duration), path}
}

// hold writes a content to the file, with the modification time changed.
func (f settling) hold(content string, changed time.Duration) {
	f.t.Helper()
	write(f.t, f.path, content)
	if err := os.Chtimes(f.path, time.Time{}, epoch.Add(changed)); err != nil {
		f.t.Fatal(err)
	}
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// at reads the file at each time of the timer before the moment, and at the moment. It checks whether the content is
// accepted at the moment, and not before.
func (f settling) at(moment time.Duration, want bool) {
	f.t.Helper()
	for f.s.doubt != nil && *f.last+settleStep < moment {
		f.read(*f.last+settleStep, false)
	}
	f.read(moment, want)
}

// read reads the file at a moment, and checks whether its content is accepted.
func (f settling) read(moment time.Duration, want bool) {
	f.t.Helper()
	*f.last = moment
	r := readStatusFile(f.path)
	if got := f.s.credible(r, epoch.Add(moment)); got != want {
		f.t.Errorf("after %s %+v is believed: %t", moment, r.StatusFile, got)
	} else if got {
		f.s.believed = &r.StatusFile
	}
}

func TestSettleKnownWord(t *testing.T) {
	f := newSettling(t, "")
	for i, word := range []string{"ready", "DRAIN\n", " maint", "unhealthy", "ready"} {
		f.hold(word, 0)
		f.at(time.Duration(i), true) // at once
	}
}

func TestSettleDoubtful(t *testing.T) {
	for name, change := range map[string]func(f settling){
		"missing":    func(f settling) { remove(t, f.path) },
		"empty":      func(f settling) { f.hold("", 0) },
		"unknown":    func(f settling) { f.hold("reddy", 0) },
		"over 4 KiB": func(f settling) { f.hold(fmt.Sprintf("ready%5000s", ""), 0) },
		"directory":  func(f settling) { remove(t, f.path); mkdir(t, f.path) },
	} {
		for _, believed := range []string{"", "ready"} {
			t.Run(name+" after "+believed, func(t *testing.T) {
				f := newSettling(t, believed)
				f.hold("ready", 0)
				change(f)
				f.at(0, false)
				f.at(1*ms, false) // any reason for another read
				f.at(99*ms, false)
				f.at(100*ms-1, false)
				f.at(100*ms, true)
				f.at(101*ms, true) // and at once from then on
				f.at(time.Minute, true)
			})
		}
	}
}

func TestSettleEndsWithKnownWord(t *testing.T) {
	f := newSettling(t, "ready")
	f.hold("", 0)
	f.at(0, false)
	f.hold("drain", 0)
	f.read(99*ms, true)
	f.hold("", 0)
	f.at(150*ms, false) // this is a new wait, not the one that began 150 ms ago
	f.at(249*ms, false)
	f.at(250*ms, true)
}

// TestSettleReturnsToBelieved checks that a file that has its accepted content again counts as unchanged.
func TestSettleReturnsToBelieved(t *testing.T) {
	f := newSettling(t, "nonsense")
	f.hold("nonsense", 0)
	f.at(0, true)
	remove(t, f.path)
	f.at(1*ms, false)
	f.hold("nonsense", 0)
	f.at(2*ms, true)
	remove(t, f.path)
	f.at(101*ms, false)
	f.at(201*ms, true)
}

// TestSettleStartsAnew checks that the wait is 100 ms from the latest change: of the contents, of the modification
// time, or of the file.
func TestSettleStartsAnew(t *testing.T) {
	for name, touch := range map[string]func(f settling){
		"contents": func(f settling) { f.hold("other nonsense", 0) },
		"written":  func(f settling) { f.hold("nonsense", 1) },
		"another file": func(f settling) {
			write(t, f.path+".new", "nonsense")
			if err := os.Chtimes(f.path+".new", time.Time{}, epoch); err != nil {
				t.Fatal(err)
			}
			rename(t, f.path+".new", f.path)
		},
		"missing": func(f settling) { remove(t, f.path) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newSettling(t, "ready")
			f.hold("nonsense", 0)
			f.at(0, false)
			f.at(90*ms, false)
			touch(f)
			f.at(95*ms, false)
			f.at(194*ms, false)
			f.at(195*ms, true)
		})
	}
}

// TestSettleLimit checks that the content of a file that keeps changing is accepted after a second.
func TestSettleLimit(t *testing.T) {
	f := newSettling(t, "ready")
	for moment := time.Duration(0); moment < time.Second; moment += 50 * ms {
		f.hold(fmt.Sprint("nonsense ", moment), moment)
		f.at(moment, false)
	}
	f.hold("nonsense, still", time.Second)
	f.at(time.Second, true)
}

// TestSettlePause checks that a pause of this process does not count, because the writer may not have run either.
func TestSettlePause(t *testing.T) {
	for _, paused := range []time.Duration{100 * ms, 4 * time.Second} {
		f := newSettling(t, "ready")
		f.hold("", 0)
		f.read(0, false)
		f.at(50*ms, false)
		f.read(50*ms+paused, false)
		f.at(74*ms+paused, false)
		f.at(75*ms+paused, true)
	}
}

// TestSettleTimer checks that the timer runs while a content is not accepted yet, and not otherwise.
func TestSettleTimer(t *testing.T) {
	f := newSettling(t, "ready")
	armed := func(want bool) {
		t.Helper()
		if got := f.s.confirm.Stop(); got != want {
			t.Errorf("the timer runs: %t, want %t", got, want)
		}
	}
	f.s.confirm.Stop()
	f.hold("ready", 0)
	f.at(0, true)
	armed(false)
	remove(t, f.path)
	f.at(0, false)
	armed(true)
	f.at(50*ms, false)
	f.hold("drain", 0)
	f.at(60*ms, true)
	armed(false)
}

// TestSettleForReal removes a known word in several ways, and later writes another one, in real time.
func TestSettleForReal(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, path string){
		"removed":   func(t *testing.T, path string) { remove(t, path) },
		"emptied":   func(t *testing.T, path string) { write(t, path, "") },
		"unknown":   func(t *testing.T, path string) { replace(t, path, "reddy") },
		"directory": func(t *testing.T, path string) { remove(t, filepath.Dir(path)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFileRig(t)
			write(t, r.path, "ready")
			r.start()
			r.expect(health.WordReady)
			start := time.Now()
			change(t, r.path)
			r.expect(health.WordUnknown)
			if took := time.Since(start); took < 100*ms {
				t.Errorf("believed after %s", took)
			}
			mkdir(t, filepath.Dir(r.path))
			write(t, r.path, "drain")
			r.await(health.WordDrain, health.WordUnknown)
		})
	}
}

// TestSettleAtStart checks that a file that is missing at the start is accepted as missing only after the wait.
func TestSettleAtStart(t *testing.T) {
	r := newFileRig(t)
	start := time.Now()
	r.start()
	r.expect(health.WordUnknown)
	if took := time.Since(start); took < 100*ms {
		t.Errorf("believed missing after %s", took)
	}
}

// TestSettleHidesWriters rewrites the file as editors and shells do: no intermediate state must be observed.
func TestSettleHidesWriters(t *testing.T) {
	t.Parallel()
	r := newFileRig(t)
	r.options.Interval = 3 * ms // so that a poll can come at any moment
	write(t, r.path, "ready")
	r.start()
	r.expect(health.WordReady)
	longest := time.Duration(0)
	for i := range 200 {
		start := time.Now()
		write(t, r.path, string(words(i+1))+"\n") // truncates first
		longest = max(longest, time.Since(start))
	}
	write(t, r.path, "maint")
	for {
		got := r.next().StatusFile
		if got.Word() == health.WordMaint {
			break
		}
		// A longer write means that the machine paused in the middle of it.
		if got.Word() == health.WordUnknown && longest < 90*ms {
			t.Fatalf("saw %+v; no write took longer than %s", *got, longest)
		}
	}
}

// TestSettleEndlessWriter checks that a file that is rewritten all the time, without a known word, is accepted within
// about a second.
func TestSettleEndlessWriter(t *testing.T) {
	t.Parallel()
	r := newFileRig(t)
	write(t, r.path, "ready")
	r.start()
	r.expect(health.WordReady)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(5 * ms)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				_ = os.WriteFile(r.path, fmt.Append(nil, "nonsense ", i), 0o644)
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	start := time.Now()
	r.expect(health.WordUnknown)
	if took := time.Since(start); took < 100*ms || took > 10*time.Second {
		t.Errorf("believed after %s", took)
	}
}
