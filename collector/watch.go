package collector

import (
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// maxLinks bounds the symbolic links that are followed, as the kernel does.
const maxLinks = 40

// watch reports changes of what a path leads to: of the file, of every symbolic link on the way (Kubernetes swaps a
// link to a directory), and, where something on the way is missing, its appearance. It watches directories, never the
// file, so that a file that is replaced or comes back is still followed.
type watch struct {
	path    string
	log     *slog.Logger
	watcher *fsnotify.Watcher // nil when there is none to be had
	trouble chan error        // the first error of the watcher that was not taken yet
	drain   sync.WaitGroup

	steps map[string]bool        // the paths whose change matters
	dirs  map[string]os.FileInfo // the directories watched, and which directory each was
	deaf  map[string]bool        // the directories that could not be watched, and were logged
}

// newWatch never fails: a file that cannot be watched is still polled, and the log says so.
func newWatch(path string, log *slog.Logger) *watch {
	w := &watch{path: path, log: log, dirs: map[string]os.FileInfo{}, deaf: map[string]bool{}}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("status file is not watched, only polled", "error", err)
		return w
	}
	w.watcher, w.trouble = watcher, make(chan error, 1)
	w.drain.Go(w.drainErrors)
	w.follow()
	return w
}

func (w *watch) close() {
	if w.watcher != nil {
		_ = w.watcher.Close() // nothing is lost: no more events are wanted
		w.drain.Wait()
	}
}

// drainErrors takes errors off the watcher as they come: it reports some of them while it holds the lock that follow
// needs, and each would wait for the other for ever. One that is not taken yet stands for those after it.
func (w *watch) drainErrors() {
	for err := range w.watcher.Errors {
		select {
		case w.trouble <- err:
		default:
		}
	}
}

func (w *watch) events() <-chan fsnotify.Event {
	if w.watcher == nil {
		return nil
	}
	return w.watcher.Events
}

func (w *watch) errors() <-chan error { return w.trouble }

// concerns reports whether an event may have changed what the path leads to.
func (w *watch) concerns(e fsnotify.Event) bool {
	name := filepath.Clean(e.Name) // what is in the root directory is named //x
	if _, own := w.dirs[name]; own && e.Has(fsnotify.Remove|fsnotify.Rename) {
		delete(w.dirs, name) // the watch went with the directory
		return true
	}
	return w.steps[name]
}

// follow brings the watched directories in line with where the path leads now, and reports whether that was needed.
func (w *watch) follow() (changed bool) {
	if w.watcher == nil {
		return false
	}
	for range maxLinks { // until nothing changes between looking and watching
		steps := trail(w.path)
		if !w.watchDirs(steps) {
			return changed
		}
		changed = true
	}
	return changed
}

// watchDirs watches exactly the directories of steps, and reports whether that needed a change.
func (w *watch) watchDirs(steps []string) (changed bool) {
	w.steps = map[string]bool{}
	wanted := map[string]bool{}
	for _, step := range steps {
		w.steps[step] = true
		wanted[filepath.Dir(step)] = true
	}
	for dir := range maps.Keys(w.dirs) {
		if !wanted[dir] {
			w.forget(dir)
			changed = true
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(wanted)) {
		info, err := os.Stat(dir)
		if err == nil && w.dirs[dir] != nil && os.SameFile(info, w.dirs[dir]) {
			continue
		}
		if err == nil {
			w.forget(dir)
			err = w.watcher.Add(dir)
		}
		switch {
		case err == nil:
			w.dirs[dir] = info
			delete(w.deaf, dir)
			changed = true
		case os.IsNotExist(err):
			changed = true // it went since the path was followed, which leads elsewhere now
		default:
			w.mute(dir, err)
		}
	}
	return changed
}

// mute logs, once, that a directory cannot be watched; each poll tries again.
func (w *watch) mute(dir string, err error) {
	if !w.deaf[dir] {
		w.log.Warn("directory of the status file is not watched, only polled", "directory", dir, "error", err)
	}
	w.deaf[dir] = true
}

func (w *watch) forget(dir string) {
	delete(w.dirs, dir)
	_ = w.watcher.Remove(dir) // it may be gone already
}

// trail lists the places whose change can change what an absolute path leads to: each symbolic link on the way, and the
// file at its end or else the first thing that is missing.
func trail(path string) (steps []string) {
	at, rest := "/", filepath.Clean(path)
	for links := 0; ; {
		var name string
		name, rest, _ = strings.Cut(strings.TrimPrefix(rest, "/"), "/")
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		switch {
		case err != nil || rest == "" && info.Mode()&os.ModeSymlink == 0:
			return append(steps, next)
		case info.Mode()&os.ModeSymlink == 0:
			at = next
		default:
			steps = append(steps, next)
			target, err := os.Readlink(next)
			if links++; err != nil || links > maxLinks {
				return steps
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(at, target)
			}
			at, rest = "/", filepath.Join(target, rest)
		}
	}
}
