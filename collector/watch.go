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

// maxLinks is the number of symbolic links that are followed at most, as in the kernel.
const maxLinks = 40

// watch reports changes of what a path leads to: changes of the file, of every symbolic link in the path (Kubernetes
// swaps a link to a directory), and the creation of a missing part. It watches directories, never the file, so that it
// also follows a file that is replaced or created again.
type watch struct {
	path    string
	log     *slog.Logger
	watcher *fsnotify.Watcher // nil if it could not be created
	trouble chan error        // the first error of the watcher that has not been received yet
	drain   sync.WaitGroup

	steps     map[string]bool        // the paths whose changes matter
	dirs      map[string]os.FileInfo // the watched directories, and the identity of each
	unwatched map[string]bool        // the directories that could not be watched; this was logged
}

// newWatch never fails: a file that cannot be watched is still polled, and this is logged.
func newWatch(path string, log *slog.Logger) *watch {
	w := &watch{path: path, log: log, dirs: map[string]os.FileInfo{}, unwatched: map[string]bool{}}
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
		_ = w.watcher.Close() // no more events are needed
		w.drain.Wait()
	}
}

// drainErrors receives the errors of the watcher as they come. The watcher reports some errors while it holds the lock
// that follow needs, so an error that is not received would cause a deadlock. While one error waits in trouble, later
// ones are discarded.
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
	name := filepath.Clean(e.Name) // the name of a file in the root directory begins with //
	if _, own := w.dirs[name]; own && e.Has(fsnotify.Remove|fsnotify.Rename) {
		delete(w.dirs, name) // the watch was removed with the directory
		return true
	}
	return w.steps[name]
}

// follow updates the watched directories to where the path leads now, and reports whether a change was needed.
func (w *watch) follow() (changed bool) {
	if w.watcher == nil {
		return false
	}
	for range maxLinks { // until nothing changes between the lookup and the watch
		steps := trail(w.path)
		if !w.watchDirs(steps) {
			return changed
		}
		changed = true
	}
	return changed
}

// watchDirs watches exactly the directories of steps, and reports whether this needed a change.
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
			delete(w.unwatched, dir)
			changed = true
		case os.IsNotExist(err):
			changed = true // it was removed after the lookup; the path leads elsewhere now
		default:
			w.logUnwatched(dir, err)
		}
	}
	return changed
}

// logUnwatched logs once that a directory cannot be watched. Each poll tries again.
func (w *watch) logUnwatched(dir string, err error) {
	if !w.unwatched[dir] {
		w.log.Warn("directory of the status file is not watched, only polled", "directory", dir, "error", err)
	}
	w.unwatched[dir] = true
}

func (w *watch) forget(dir string) {
	delete(w.dirs, dir)
	_ = w.watcher.Remove(dir) // it may be removed already
}

// trail lists the paths whose change can change what an absolute path leads to: each symbolic link in it, and the file
// at its end or the first part that is missing.
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
