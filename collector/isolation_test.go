package collector

import (
	"runtime"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestIsolation makes prosody and its census fail in the worst ways, and checks that jicofo and the status file are
// observed as usual.
func TestIsolation(t *testing.T) {
	t.Parallel()
	for _, behavior := range []string{"hang", "drip", "huge", "crash", "redirect loop"} {
		t.Run(behavior, func(t *testing.T) {
			t.Parallel()
			node, quiet, troubled := startNode(t), newFileRig(t), newRig(t)
			behave(t, node.Prosody, "", behavior)
			quiet.options.Interval, troubled.options.Interval = 10*ms, 10*ms
			write(t, quiet.path, "ready")
			troubled.run(NewProsody(node.Prosody.Origin(), troubled.options))
			troubled.run(NewCensus(node.Prosody.Origin(), "", troubled.options))
			quiet.run(NewJicofo(node.Jicofo.Origin(), quiet.options))
			quiet.start()
			for jicofo, file := 0, 0; jicofo < 20 || file < 20; {
				got := quiet.next()
				switch {
				case got.Jicofo != nil && got.Jicofo.Healthy():
					jicofo++
				case got.StatusFile != nil && got.StatusFile.Word() == health.WordReady:
					file++
				default:
					t.Fatalf("saw %s", show(got.Observation))
				}
			}
			if behavior == "hang" || behavior == "drip" {
				troubled.quiet() // so that it failed all the time
			}
		})
	}
}

// TestEndlessBodyMemory checks that the read of an endless body stops at the limit and that little of it is kept.
func TestEndlessBodyMemory(t *testing.T) {
	node, r := startNode(t), newRig(t)
	behave(t, node.Jicofo, "", "huge")
	r.options.Interval = ms
	stop := r.run(NewJicofo(node.Jicofo.Origin(), r.options))
	defer stop()
	r.next()
	largest := uint64(0)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 15 {
		if got := r.next(); got.Jicofo.Health.Failure != health.FailureBodySize ||
			got.Jicofo.Stats.Failure != health.FailureBodySize {
			t.Fatalf("saw %+v", *got.Jicofo)
		}
		runtime.ReadMemStats(&now)
		largest = max(largest, now.HeapAlloc)
	}
	runtime.ReadMemStats(&now)
	grown, each := int64(largest)-int64(before.HeapAlloc), (now.TotalAlloc-before.TotalAlloc)/15
	t.Logf("the heap grew by %d KiB at most; %d KiB were allocated for each poll", grown>>10, each>>10)
	if grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	if each > 32<<20 {
		t.Errorf("%d MiB were allocated for each poll", each>>20)
	}
}

// TestEndlessBodyEnds checks that the connection of an endless body is closed instead of read further.
func TestEndlessBodyEnds(t *testing.T) {
	node, r := startNode(t), newRig(t)
	behave(t, node.Prosody, "", "huge")
	stop := r.run(NewProsody(node.Prosody.Origin(), r.options))
	start := time.Now()
	if got := r.next().Prosody.Health; got.Failure != health.FailureBodySize {
		t.Errorf("saw %+v after %s", got, time.Since(start))
	}
	stop()
}
