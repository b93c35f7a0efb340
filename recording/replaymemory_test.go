package recording_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/recording"
)

// longRecording is a recording of polls of jicofo whose replies are quoted, made while it is read. At its end it
// measures the heap.
type longRecording struct {
	lines, made int
	rest        *strings.Reader
	heap        uint64 // in use at the end
}

func (l *longRecording) Read(p []byte) (int, error) {
	if l.rest.Len() > 0 {
		return l.rest.Read(p)
	}
	if l.made == l.lines {
		l.heap = heapInUse()
		return 0, io.EOF
	}
	at := time.Duration(l.made) * 5 * time.Second
	l.made++
	l.rest.Reset(fmt.Sprintf(`{"t":%d,"observation":{"at":"2026-03-01T03:00:00Z","jicofo":{"health":{"code":503,`+
		`"exchange":{"url":"http://localhost:8888/about/health","body":%q}},"contents":"overloaded","stats":{"code":200}}}}`+
		"\n", at.Nanoseconds(), strings.Repeat("x", 600)))
	return l.rest.Read(p)
}

func heapInUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// TestReplayStreams checks that the memory that a replay keeps does not grow with the recording.
func TestReplayStreams(t *testing.T) { // not parallel: it measures the heap
	const lines = 20_000 // 15 MB
	header, _, _ := strings.Cut(goodRecording(), "\n")
	long := &longRecording{lines: lines, rest: strings.NewReader(header + "\n")}
	before := heapInUse()
	runs, read := recording.Replay(long, []string{"DRAIN_GRACE_INTERVAL=0"}, func(cfg health.Config) health.Config {
		cfg.DrainGrace = 0
		return cfg
	})
	if len(runs) != 1 || runs[0].Observations != lines || read.Unread > 0 {
		t.Fatalf("%d runs, problems: %v", len(runs), read.Problems)
	}
	if grown := int64(long.heap) - int64(before); grown > 4<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}
