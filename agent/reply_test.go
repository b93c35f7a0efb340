package agent

import (
	"fmt"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// replies are the replies for each health, status and weight. The columns are the weight without WEIGHT_PARTICIPANTS,
// and with it for 0, 750, 4999 and an unknown number of participants, of at most 5000.
const replies = `
health status   off              0                750              4999            unknown
up     ready    up_ready_100%    up_ready_100%    up_ready_85%     up_ready_1%     down_ready_0%
up     drain    up_drain_0%      up_drain_0%      up_drain_0%      up_drain_0%     down_drain_0%
up     maint    up_maint_0%      up_maint_0%      up_maint_0%      up_maint_0%     down_maint_0%
up     bogus    up_drain_100%    up_drain_100%    up_drain_85%     up_drain_1%     down_drain_0%
down   ready    down_ready_100%  down_ready_100%  down_ready_85%   down_ready_1%   down_ready_0%
down   drain    down_drain_0%    down_drain_0%    down_drain_0%    down_drain_0%   down_drain_0%
down   maint    down_maint_0%    down_maint_0%    down_maint_0%    down_maint_0%   down_maint_0%
down   bogus    down_drain_100%  down_drain_100%  down_drain_85%   down_drain_1%   down_drain_0%
`

// TestReply checks the exact bytes of each reply up to the end of the connection.
func TestReply(t *testing.T) {
	rows := strings.Split(strings.TrimSpace(replies), "\n")
	columns := strings.Fields(rows[0])
	for column := 2; column < len(columns); column++ {
		config := rules
		config.WeightParticipants = columns[column] != "off"
		r := startAgent(t, setup{config: config})
		r.observed(jicofoOf(columns[column]))
		for _, row := range rows[1:] {
			cells := strings.Fields(row)
			r.observed(prosody(map[string]int{"up": 200, "down": 500}[cells[0]]), statusFile(cells[1]))
			want := strings.ReplaceAll(cells[column], "_", " ") + "\n"
			if got := r.check(t); got != want {
				t.Errorf("%s %s, participants %s: got %q, want %q", cells[0], cells[1], columns[column], got, want)
			}
		}
	}
}

// jicofoOf returns the observation of a jicofo with the number of participants in the head of a column.
func jicofoOf(participants string) health.Observation {
	if participants == "unknown" {
		o := jicofo(0)
		o.Jicofo.StatsProblem = "participants is missing"
		return o
	}
	var n float64
	_, _ = fmt.Sscan(participants, &n)
	return jicofo(n)
}

// TestReplyWhenTheFileIsUnhealthyOrMissing checks the replies for a status file that is
// unhealthy or missing.
func TestReplyWhenTheFileIsUnhealthyOrMissing(t *testing.T) {
	r := startAgent(t, setup{config: rules})
	r.upReady()
	r.observed(statusFile("unhealthy"))
	if got := r.check(t); got != "down drain 0%\n" {
		t.Errorf("unhealthy: got %q", got)
	}
	r.observed(health.Observation{StatusFile: &health.StatusFile{Problem: "no such file"}})
	if got := r.check(t); got != "down drain 100%\n" {
		t.Errorf("missing: got %q", got)
	}
}
