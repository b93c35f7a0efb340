package consul

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

const statusKey = "shard-state"

// quickPace is defaultPace with short times.
var quickPace = pace{
	wait: 2 * time.Second, minRetry: 5 * time.Millisecond, maxRetry: 20 * time.Millisecond,
	minPause: time.Millisecond, maxPause: 20 * time.Millisecond, quick: 100 * time.Millisecond,
	minRewrite: 5 * time.Millisecond, maxWrite: 20 * time.Millisecond,
}

// newWatch returns a Watch of a file that contains a word.
func (r *rig) newWatch(content string, customize ...func(*WatchOptions)) *Watch {
	r.t.Helper()
	o := WatchOptions{
		Client: newClient(r.t, ClientOptions{URL: r.url, Timeout: bound, MaxAnswer: 100 << 10}),
		Key:    statusKey, Path: newStatusFile(r.t, content).path,
		TracerProvider: r.tracerProvider, MeterProvider: r.meterProvider, Logger: r.logger,
	}
	for _, c := range customize {
		c(&o)
	}
	o.FileWord = statusFile{path: o.Path}.word
	w, err := NewWatch(o)
	testbed.Must(r.t, err)
	w.pace = quickPace
	return w
}

// expect waits until the file contains a word.
func (r *rig) expect(w *Watch, word health.Word) {
	r.t.Helper()
	testbed.Eventually(r.t, fmt.Sprintf("%s in the file", word), bound, func() bool { return w.file.word() == word })
}

// expectKind waits until the Watch has failed, or works for "".
func (r *rig) expectKind(w *Watch, kind Kind) {
	r.t.Helper()
	testbed.Eventually(r.t, fmt.Sprintf("kind %q", kind), bound, func() bool {
		s := w.Status()
		return s.Kind == kind && !s.Changed.IsZero()
	})
}

// TestWatchFollowsKey puts each word, in any case and with white space.
func TestWatchFollowsKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.kv.Put(statusKey, "drain")
	w := r.newWatch("ready")
	r.run(w.Run)
	r.expect(w, health.WordDrain)
	for _, value := range []string{"ready", " MAINT\r\n", "\uFEFFunhealthy", "Drain", "ready\n"} {
		r.kv.Put(statusKey, value)
		r.expect(w, health.ParseWord(value))
	}
	r.expectKind(w, "")
	s := w.Status()
	if s.Key != statusKey || !s.Found || s.Value != "ready\n" || s.Word != health.WordReady || s.ModifyIndex == 0 || s.Error != "" {
		t.Errorf("status %+v", s)
	}
	testbed.Eventually(t, "a log line for each change", bound, func() bool {
		return r.logged("status from consul written") == 6 && r.metric("signal.consul.success", "operation=watch") == 1
	})
	if r.metric("signal.consul.status", "status=ready") != 1 || r.metric("signal.consul.status", "status=drain") != 0 ||
		r.metric("signal.consul.status.differs") != 0 {
		t.Error("the metrics differ from the key")
	}
	if changed := r.metric("signal.consul.status.timestamp"); time.Since(time.UnixMilli(int64(changed*1000))).Abs() > bound {
		t.Errorf("the key changed at %f", changed)
	}
	testbed.Eventually(t, "the spans", bound, func() bool { return len(r.spans.Ended()) == 6 })
	for _, span := range r.spans.Ended() {
		if span.Name() != "consul status" || span.EndTime().Sub(span.StartTime()) > quickPace.wait/2 {
			t.Errorf("span %s from %s to %s", span.Name(), span.StartTime(), span.EndTime())
		}
	}
}

// TestWatchDoesNotRewrite checks that a word in the file is not written again, and that a local edit holds until the
// key changes.
func TestWatchDoesNotRewrite(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.kv.Put(statusKey, "drain")
	var applied atomic.Uint64
	w := r.newWatch(" DRAIN\r\n", func(o *WatchOptions) { o.OnApplied = applied.Store })
	before := inode(t, w.Path).Ino
	r.run(w.Run)
	testbed.Eventually(t, "the value to be applied", bound, func() bool { return applied.Load() > 0 })
	if inode(t, w.Path).Ino != before || testbed.Contents(w.Path) != " DRAIN\r\n" {
		t.Errorf("the file was written: %q", testbed.Contents(w.Path))
	}
	testbed.Must(t, os.WriteFile(w.Path, []byte("maint"), 0o600)) // a local edit
	r.fail(reply(500, "No cluster leader"))
	r.expectKind(w, KindServerError)
	r.fail(nil)
	r.expectKind(w, "")
	if w.file.word() != health.WordMaint {
		t.Errorf("the local edit became %q", w.file.word())
	}
	r.kv.Put(statusKey, "ready")
	r.expect(w, health.WordReady)
}

// TestWatchAfterRestart checks that a value that an earlier process has applied is not written, but a newer one is.
func TestWatchAfterRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.kv.Put(statusKey, "drain")
	var applied atomic.Uint64
	first := r.newWatch("ready", func(o *WatchOptions) { o.OnApplied = applied.Store })
	stop := r.run(first.Run)
	testbed.Eventually(t, "the value to be applied", bound, func() bool { return applied.Load() > 0 })
	stop()
	second := r.newWatch("maint")
	second.Resume(applied.Load())
	r.run(second.Run)
	r.expectKind(second, "")
	if word := second.file.word(); word != health.WordMaint ||
		r.metric("signal.consul.status.differs") != 1 || r.logged("level=WARN", "value=drain", "file=maint") != 1 {
		t.Errorf("the file contains %q after the restart; log:\n%s", word, r.log)
	}
	r.kv.Put(statusKey, "ready")
	r.expect(second, health.WordReady)
}

// TestWatchFaults makes the watch fail in each way, and then lets it work again. The file stays as it is meanwhile.
func TestWatchFaults(t *testing.T) {
	t.Parallel()
	indexed := func(index string, body string) http.HandlerFunc { return reply(200, body, "X-Consul-Index", index) }
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		kind    Kind
	}{
		"denied":       {reply(403, "Permission denied"), KindDenied},
		"overloaded":   {reply(429, "Your IP is issuing too many concurrent connections"), KindOverloaded},
		"no leader":    {reply(500, "No cluster leader"), KindServerError},
		"page":         {reply(200, "<html>log in", "Content-Type", "text/html"), KindInvalidAnswer},
		"redirect":     {reply(301, "", "Location", "https://consul.example.com"), KindInvalidAnswer},
		"bad JSON":     {indexed("9999", `[{"Value":"ZHJhaW4=","ModifyIndex":-`), KindInvalidAnswer},
		"index 0":      {indexed("0", `[{"Value":"ZHJhaW4=","ModifyIndex":9999}]`), KindInvalidAnswer},
		"no index":     {reply(200, `[{"Value":"ZHJhaW4=","ModifyIndex":9999}]`), KindInvalidAnswer},
		"500 KiB":      {indexed("9999", `[{"Value":"`+strings.Repeat("QUFB", 170_000)+`"}]`), KindInvalidAnswer},
		"hangs":        {func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }, KindTimeout},
		"cuts off":     {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, KindUnreachable},
		"missing":      {reply(404, "", "X-Consul-Index", "9999"), KindMissing},
		"unknown word": {indexed("9999", `[{"Value":"cmVhZHkgcmVhZHk=","ModifyIndex":9999}]`), KindValue},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.kv.Put(statusKey, "ready")
			w := r.newWatch("ready", func(o *WatchOptions) {
				if name == "hangs" {
					o.Client = newClient(t, ClientOptions{URL: r.url, Timeout: time.Second})
				}
			})
			w.pace.wait = 100 * time.Millisecond
			r.run(w.Run)
			r.expectKind(w, "")
			r.fail(c.handler)
			r.expectKind(w, c.kind)
			asked := r.gets.Load()
			testbed.Eventually(t, "more queries", bound, func() bool { return r.gets.Load() > asked+2 })
			if got := w.file.word(); got != health.WordReady {
				t.Errorf("the file became %q", got)
			}
			if r.metric("signal.consul.failures", "operation=watch", "kind="+string(c.kind)) < 1 ||
				r.metric("signal.consul.success", "operation=watch") != 0 {
				t.Error("the metrics do not show the failure")
			}
			r.fail(nil)
			r.kv.Put(statusKey, "maint")
			r.expect(w, health.WordMaint)
			r.expectKind(w, "")
			testbed.Eventually(t, "the log", bound, func() bool { return r.logged("consul works again") == 1 })
			if r.logged("consul began to fail", "kind="+string(c.kind)) != 1 || r.logged("level=WARN") != 1 {
				t.Errorf("log:\n%s", r.log)
			}
		})
	}
}

// TestWatchNamesEachBadValue puts two values that are no known word. The error names the present one.
func TestWatchNamesEachBadValue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := r.newWatch("ready")
	r.run(w.Run)
	for _, value := range []string{"raedy", "darin"} {
		r.kv.Put(statusKey, value)
		testbed.Eventually(t, "the error of "+value, bound, func() bool {
			return w.Status().Error == fmt.Sprintf("%q is no known status", value)
		})
	}
}

// TestWatchHonoursRetryAfter checks that the next query comes a random time after the one that Consul asked for.
func TestWatchHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fail(reply(429, "", "Retry-After", "3600"))
	w := r.newWatch("ready")
	w.retry = newBackOff(time.Millisecond, time.Millisecond)
	if got := w.step(t.Context()); got <= maxRetryAfter || got > maxRetryAfter+2*time.Millisecond {
		t.Errorf("the next query comes after %s", got)
	}
}

// TestWatchBehind lets a server answer that is behind the one before. Its old value is not applied. After a restore
// from a backup the leader has an old value too, which is.
func TestWatchBehind(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	value := func(index int, word string) string {
		return fmt.Sprintf(`[{"Value":%q,"ModifyIndex":%d}]`, map[string]string{"drain": "ZHJhaW4=", "ready": "cmVhZHk="}[word], index)
	}
	var restored atomic.Bool
	var stale, fresh atomic.Int64
	handler := http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		isStale := q.URL.Query().Has("stale")
		switch {
		case isStale && stale.Add(1) == 1:
			reply(200, value(100, "drain"), "X-Consul-Index", "100")(rw, q)
		case isStale, restored.Load():
			reply(200, value(50, "ready"), "X-Consul-Index", "50")(rw, q)
		default:
			fresh.Add(1)
			reply(200, value(100, "drain"), "X-Consul-Index", "100")(rw, q)
		}
	})
	r.fail(handler)
	w := r.newWatch("maint")
	r.run(w.Run)
	r.expect(w, health.WordDrain)
	testbed.Eventually(t, "the leader to be asked", bound, func() bool { return fresh.Load() > 2 })
	if w.file.word() != health.WordDrain || r.logged("status from consul written") != 1 {
		t.Errorf("the file became %q", w.file.word())
	}
	restored.Store(true)
	r.expect(w, health.WordReady)
}

// TestWatchLimitsQueries lets Consul answer each query at once, with the same value or an index that goes backwards.
func TestWatchLimitsQueries(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]int64{"same": 0, "backwards": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			var n atomic.Int64
			r.fail(func(rw http.ResponseWriter, q *http.Request) {
				reply(200, `[{"Value":"ZHJhaW4=","ModifyIndex":5}]`, "X-Consul-Index", fmt.Sprint(10_000-jump*n.Add(1)))(rw, q)
			})
			w := r.newWatch("ready")
			w.pace = defaultPace
			pauses := time.Duration(0)
			w.retry = newBackOff(w.pace.minRetry, w.pace.maxRetry)
			w.rewrite = newBackOff(w.pace.minRewrite, w.pace.maxWrite)
			for range 20 {
				pauses += w.step(t.Context())
			}
			if pauses < 20*time.Second {
				t.Errorf("20 queries in %s", pauses)
			}
		})
	}
}

// TestWatchWritesLater lets the file be unwritable for a while.
func TestWatchWritesLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.kv.Put(statusKey, "drain")
	w := r.newWatch("ready")
	testbed.Must(t, os.Remove(w.Path))
	testbed.Must(t, os.Mkdir(w.Path, 0o755))
	r.run(w.Run)
	r.expectKind(w, KindFile)
	testbed.Must(t, os.Remove(w.Path))
	r.expect(w, health.WordDrain)
	r.expectKind(w, "")
	if r.logged("level=WARN", "kind=file", w.Path) != 1 {
		t.Errorf("log:\n%s", r.log)
	}
}

// TestWatchInLockedFolder follows the key without the permission to write to the folder.
func TestWatchInLockedFolder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := r.newWatch("drain")
	w.file.lock(t)
	before := inode(t, w.Path).Ino
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		asNobody(t, true, func() { _ = w.Run(t.Context()) })
	}()
	t.Cleanup(func() { <-stop })
	for _, word := range words {
		r.kv.Put(statusKey, string(word))
		r.expect(w, word)
	}
	if inode(t, w.Path).Ino != before {
		t.Error("the file was replaced")
	}
}
