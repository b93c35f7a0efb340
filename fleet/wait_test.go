package fleet

import (
	"fmt"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestWaitBeginsAgain puts a shard back into service while a drain is waited for. After the next drain, the first
// report without participants is too early again: HAProxy may still send users.
func TestWaitBeginsAgain(t *testing.T) {
	t.Parallel()
	var w waiting
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, step := range []struct {
		status string
		after  time.Duration
		want   bool
	}{
		{"drain", 0, false}, {"ready", time.Minute, false},
		{"drain", 2 * time.Minute, false}, {"drain", 3 * time.Minute, true},
	} {
		r := parseReport(fmt.Appendf(nil, `{"time":%q,"healthy":true,"status":%q,"agentmessage":"up %[2]s 0%%",`+
			`"statuses":{"statusFileFound":true,"statusFileContents":%[2]q},"stats":{"jicofoParticipants":0}}`,
			start.Add(step.after).Format(time.RFC3339), step.status), uint64(i+1))
		text, holds := w.observe(health.WordDrain, WaitEmpty, r, nil, Options{CheckTime: time.Second})
		if holds != step.want {
			t.Errorf("report %d, %s: %t, %s", i, step.status, holds, text)
		}
	}
}
