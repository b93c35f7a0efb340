package collector

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// words alternates between two words, so that each change is observed.
func words(i int) health.Word { return []health.Word{health.WordReady, health.WordDrain}[i%2] }

// TestWatchWays changes the file in every way that people and programs do. There are no polls, so a change that is not
// watched is never observed.
func TestWatchWays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		setup func(t *testing.T, path string)
		// change makes the path lead to a word; i is the number of the change.
		change func(t *testing.T, path, word string, i int)
		rounds int
	}{
		{"atomic rename", nil, func(t *testing.T, path, word string, _ int) { replace(t, path, word) }, 20},
		{"write in place", nil, func(t *testing.T, path, word string, _ int) { write(t, path, word) }, 20},
		{"remove, then make again", nil, func(t *testing.T, path, word string, _ int) {
			remove(t, path)
			write(t, path, word)
		}, 20},
		{"truncate, then append byte by byte", nil, func(t *testing.T, path, word string, _ int) {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC|os.O_CREATE, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for _, b := range []byte(word) {
				if _, err := f.Write([]byte{b}); err != nil {
					t.Fatal(err)
				}
			}
		}, 20},
		{"editor: backup by rename, then a new file", nil, func(t *testing.T, path, word string, i int) {
			if i > 0 {
				rename(t, path, path+"~")
			}
			write(t, path, word)
		}, 20},
		{"link to a file in another directory, written", linkElsewhere, func(t *testing.T, path, word string, _ int) {
			write(t, filepath.Join(elsewhere(path), "word"), word)
		}, 10},
		{"link to a file in another directory, renamed onto", linkElsewhere, func(t *testing.T, path, word string, _ int) {
			replace(t, filepath.Join(elsewhere(path), "word"), word)
		}, 10},
		{"link swapped", nil, func(t *testing.T, path, word string, _ int) {
			target := filepath.Join(filepath.Dir(path), word)
			write(t, target, word)
			symlink(t, word, path+".new")
			rename(t, path+".new", path)
		}, 20},
		{"link between directories swapped, then the target changes", nil, func(t *testing.T, path, word string, i int) {
			dir := filepath.Join(elsewhere(path), fmt.Sprint(i/2%2))
			mkdir(t, dir)
			if i%2 == 1 { // in these rounds the link stays and its target is new
				write(t, filepath.Join(dir, "word"), word)
				return
			}
			write(t, filepath.Join(dir, "word"), word)
			symlink(t, filepath.Join(dir, "word"), path+".new")
			rename(t, path+".new", path)
		}, 20},
		{"Kubernetes", func(t *testing.T, path string) { symlink(t, "..data/shard-status", path) }, kubernetes, 20},
		{"Kubernetes, from a mounted directory that is linked to", func(t *testing.T, path string) {
			mkdir(t, elsewhere(path))
			symlink(t, "..data/shard-status", filepath.Join(elsewhere(path), "shard-status"))
			symlink(t, elsewhere(path)+"/shard-status", path)
		}, func(t *testing.T, path, word string, i int) {
			kubernetes(t, filepath.Join(elsewhere(path), "shard-status"), word, i)
		}, 20},
		{"directory removed and made again", nil, func(t *testing.T, path, word string, _ int) {
			remove(t, filepath.Dir(path))
			mkdir(t, filepath.Dir(path))
			write(t, path, word)
		}, 20},
		{"directory moved away and made again", nil, func(t *testing.T, path, word string, i int) {
			dir := filepath.Dir(path)
			if i > 0 {
				rename(t, dir, fmt.Sprint(dir, ".", i))
			}
			mkdir(t, dir)
			write(t, path, word)
		}, 20},
		{"directory exchanged by a ready one", nil, func(t *testing.T, path, word string, i int) {
			dir := filepath.Dir(path)
			mkdir(t, dir+".new")
			write(t, filepath.Join(dir+".new", "shard-status"), word)
			if i > 0 {
				rename(t, dir, fmt.Sprint(dir, ".", i))
			} else {
				remove(t, dir)
			}
			rename(t, dir+".new", dir)
		}, 20},
		{"directory becomes a link", nil, func(t *testing.T, path, word string, i int) {
			dir := filepath.Dir(path)
			target := fmt.Sprint(dir, ".", i)
			mkdir(t, target)
			write(t, filepath.Join(target, "shard-status"), word)
			remove(t, dir)
			symlink(t, target, dir)
		}, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newFileRig(t)
			r.path = filepath.Join(filepath.Dir(r.path), "etc", "shard-status")
			mkdir(t, filepath.Dir(r.path))
			if tt.setup != nil {
				tt.setup(t, r.path)
			}
			tt.change(t, r.path, "maint", 0)
			r.start()
			r.expect(health.WordMaint)
			for i := range tt.rounds {
				start := time.Now()
				tt.change(t, r.path, string(words(i)), i+1)
				if took := time.Since(start); took > 90*ms { // the machine paused: an intermediate state may be observed
					t.Logf("change %d took %s", i, took)
					r.await(words(i), health.WordUnknown)
				} else {
					r.expect(words(i))
				}
			}
		})
	}
}

// elsewhere returns a directory beside that of the file.
func elsewhere(path string) string { return filepath.Dir(path) + ".elsewhere" }

func linkElsewhere(t *testing.T, path string) {
	mkdir(t, elsewhere(path))
	symlink(t, filepath.Join("..", filepath.Base(elsewhere(path)), "word"), path)
}

// kubernetes updates a mounted ConfigMap as the kubelet does. All files are links into ..data, which a rename swaps to
// a new directory.
func kubernetes(t *testing.T, path, word string, i int) {
	dir := filepath.Dir(path)
	version := fmt.Sprintf("..2026_01_01_%04d", i)
	mkdir(t, filepath.Join(dir, version))
	write(t, filepath.Join(dir, version, "shard-status"), word)
	symlink(t, version, filepath.Join(dir, "..data_tmp"))
	rename(t, filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data"))
	if i > 0 {
		remove(t, filepath.Join(dir, fmt.Sprintf("..2026_01_01_%04d", i-1)))
	}
}

// TestWatchDirectoryAppearsLater checks that a file is found whose directories are created all at once, while the
// collector starts or later.
func TestWatchDirectoryAppearsLater(t *testing.T) {
	t.Parallel()
	for i := range 6 {
		r := newFileRig(t)
		r.path = filepath.Join(filepath.Dir(r.path), "a", "b", "c", "shard-status")
		stop := r.start()
		if i%2 == 0 { // sometimes while it starts
			r.expect(health.WordUnknown)
		}
		mkdir(t, filepath.Dir(r.path))
		write(t, r.path, "ready")
		r.await(health.WordReady, health.WordUnknown)
		// From then on it is watched like any other file.
		replace(t, r.path, "drain")
		r.expect(health.WordDrain)
		stop()
	}
}

// TestWatchStepByStep checks that a file is found whose directories are created one after the other, each after the
// previous one was noticed.
func TestWatchStepByStep(t *testing.T) {
	t.Parallel()
	r := newFileRig(t)
	base := filepath.Dir(r.path)
	r.path = filepath.Join(base, "a", "b", "shard-status")
	r.start()
	r.expect(health.WordUnknown)
	mkdir(t, filepath.Join(base, "a"))
	mkdir(t, filepath.Join(base, "a", "b"))
	write(t, filepath.Join(base, "a", "b", "target"), "ready")
	symlink(t, "target", r.path)
	r.expect(health.WordReady)
	remove(t, filepath.Join(base, "a"))
	r.expect(health.WordUnknown)
	mkdir(t, filepath.Join(base, "a", "b"))
	replace(t, r.path, "drain")
	r.expect(health.WordDrain)
}

// TestWatchRoot checks that a file is found whose directory is created in the root directory.
func TestWatchRoot(t *testing.T) {
	dir, err := os.MkdirTemp("/", "signal-sidecar-test-")
	if err != nil {
		t.Skipf("the root directory cannot be written: %v", err)
	}
	t.Cleanup(func() { remove(t, dir) })
	remove(t, dir)
	r := newRig(t)
	f := fileRig{r, filepath.Join(dir, "shard-status")}
	f.start()
	f.expect(health.WordUnknown)
	mkdir(t, dir)
	write(t, f.path, "ready")
	f.expect(health.WordReady)
}

// TestWatchOtherFiles checks that other files in the directory, and events without a change, cause no observation.
func TestWatchOtherFiles(t *testing.T) {
	r := newFileRig(t)
	write(t, r.path, "ready")
	r.start()
	r.expect(health.WordReady)
	dir := filepath.Dir(r.path)
	for i := range 100 {
		other := filepath.Join(dir, fmt.Sprint("other-", i))
		write(t, other, "drain")
		rename(t, other, other+"~")
		remove(t, other+"~")
		replace(t, r.path, "ready")
		if err := os.Chtimes(r.path, time.Now(), time.Unix(int64(i), 0)); err != nil {
			t.Fatal(err)
		}
	}
	replace(t, r.path, "maint")
	r.expect(health.WordMaint) // the next one after the first
}

// TestWatchFlood checks that many events of other files in the directory do not delay the observation.
func TestWatchFlood(t *testing.T) {
	r := newFileRig(t)
	write(t, r.path, "ready")
	r.start()
	r.expect(health.WordReady)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				_ = os.WriteFile(fmt.Sprintf("%s.%d", r.path, i%100), []byte("drain"), 0o644)
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	for i := range 20 {
		write(t, r.path+".new", string(words(i+1)))
		rename(t, r.path+".new", r.path)
		r.expect(words(i + 1))
	}
}

// TestWatchDirectoryChurn moves the directory away, deletes it, and creates it again, many times, while files in it
// change. The watch must neither lose it nor stop: fsnotify reports its own errors while it holds a lock.
func TestWatchDirectoryChurn(t *testing.T) {
	t.Parallel()
	r := newFileRig(t)
	dir := filepath.Join(filepath.Dir(r.path), "etc")
	r.path = filepath.Join(dir, "shard-status")
	mkdir(t, dir)
	write(t, r.path, "ready")
	r.start()
	r.expect(health.WordReady)
	for range 200 {
		write(t, r.path, "drain")
		rename(t, dir, dir+".old")
		mkdir(t, dir)
		write(t, r.path, "ready")
		remove(t, dir+".old")
	}
	write(t, r.path, "maint")
	r.await(health.WordMaint, health.WordReady, health.WordDrain, health.WordUnknown)
	replace(t, r.path, "drain")
	r.await(health.WordDrain)
}

// TestWatchDirectoryGone checks that the path is followed again if a directory is removed between lookup and watch.
func TestWatchDirectoryGone(t *testing.T) {
	r := newFileRig(t)
	w := newWatch(r.path, r.options.Logger)
	defer w.close()
	gone := []string{filepath.Join(filepath.Dir(r.path), "gone", "shard-status")}
	w.watchDirs(gone) // removes the watch of the previous directory
	if !w.watchDirs(gone) {
		t.Error("a directory that is gone needs another look")
	}
	w.follow()
	write(t, r.path, "ready")
	if e := <-w.events(); !w.concerns(e) {
		t.Errorf("%s is of no concern", e)
	}
	if r.log.String() != "" {
		t.Errorf("logged:\n%s", r.log)
	}
}

// TestWatchFollowsExchangedDirectory checks that follow watches the directory that the path leads to now, although no
// event has reported the change.
func TestWatchFollowsExchangedDirectory(t *testing.T) {
	r := newFileRig(t)
	top := filepath.Join(filepath.Dir(r.path), "a")
	r.path = filepath.Join(top, "b", "c", "shard-status")
	mkdir(t, filepath.Dir(r.path))
	w := newWatch(r.path, r.options.Logger)
	defer w.close()
	if w.follow() {
		t.Error("nothing changed")
	}
	rename(t, top, top+".old")
	mkdir(t, filepath.Dir(r.path))
	if !w.follow() {
		t.Error("the exchange was not noticed")
	}
	write(t, r.path, "ready")
	select {
	case e := <-w.events():
		if !w.concerns(e) {
			t.Errorf("%s is of no concern", e)
		}
	case <-time.After(bound):
		t.Error("the new directory is not watched")
	}
}

// TestPollCoversLostEvents checks that each poll reads the file: no event reports that a directory above was exchanged.
func TestPollCoversLostEvents(t *testing.T) {
	r := newFileRig(t)
	r.options.Interval = 20 * time.Millisecond
	top := filepath.Join(filepath.Dir(r.path), "a")
	r.path = filepath.Join(top, "b", "c", "shard-status")
	mkdir(t, filepath.Dir(r.path))
	write(t, r.path, "ready")
	r.start()
	r.expect(health.WordReady)
	rename(t, top, top+".old")
	mkdir(t, filepath.Dir(r.path))
	write(t, r.path, "drain")
	r.await(health.WordDrain, health.WordReady)
}

// TestPollWithoutWatch polls a file in a directory that may be searched but not listed, and so cannot be watched.
func TestPollWithoutWatch(t *testing.T) {
	t.Parallel()
	r := newFileRig(t)
	r.options.Interval = 20 * time.Millisecond
	dir := filepath.Join(filepath.Dir(r.path), "etc")
	r.path = filepath.Join(dir, "shard-status")
	mkdir(t, dir)
	write(t, r.path, "ready")
	for path, mode := range map[string]os.FileMode{filepath.Dir(filepath.Dir(dir)): 0o755, dir: 0o311} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	c, err := NewStatusFile(r.path, r.options)
	r.run(asNobody(t, c), err)
	for i := range 10 {
		write(t, r.path, string(words(i)))
		r.await(words(i), words(i+1))
	}
	lines := r.log.Lines()
	if len(lines) != 1 || !strings.Contains(lines[0], "is not watched, only polled") ||
		!strings.Contains(lines[0], "permission denied") ||
		!strings.Contains(lines[0], r.path) {
		t.Errorf("logged, for 10 polls and more:\n%s", strings.Join(lines, "\n"))
	}
}

// TestPollRepeats checks that there is an observation at every poll, changed or not: the first verdict needs one, and
// the latest must not become overdue.
func TestPollRepeats(t *testing.T) {
	r := newFileRig(t)
	r.options.Interval = 5 * time.Millisecond
	write(t, r.path, "ready")
	r.start()
	last := r.next().At
	for range 20 {
		got := r.next()
		if got.StatusFile.Word() != health.WordReady || !got.At.After(last) {
			t.Errorf("saw %+v at %s, after one at %s", *got.StatusFile, got.At, last)
		}
		last = got.At
	}
}

// TestWatchLatency measures the time from a rename to its observation.
func TestWatchLatency(t *testing.T) {
	r := newFileRig(t)
	write(t, r.path, "maint")
	r.start()
	r.expect(health.WordMaint)
	var took []time.Duration
	for i := range 200 {
		write(t, r.path+".new", string(words(i)))
		start := time.Now()
		rename(t, r.path+".new", r.path)
		got := r.next()
		if got.StatusFile.Word() != words(i) {
			t.Fatalf("saw %+v, want %s", *got.StatusFile, words(i))
		}
		took = append(took, got.At.Sub(start))
	}
	slices.Sort(took)
	t.Logf("from rename to observation: p50 %s, p99 %s, longest %s", took[100], took[198], took[199])
	if took[100] > time.Second {
		t.Errorf("half of the changes took more than %s", took[100])
	}
}
