package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestConsulTwoOperators lets two operators change the same shard 200 times. A proxy holds both transactions until both
// have been sent, so that both rest on the same state: one succeeds, and the other is told by whom it was overtaken.
func TestConsulTwoOperators(t *testing.T) {
	t.Parallel()
	c := startConsul(t, consulOptions{})
	var both pairs
	n := countTraffic(t, c, func(r *http.Request) {
		if r.URL.Path == "/v1/txn" {
			both.wait(r.Context())
		}
	})
	c.put(t, stateKey+"spare", "ready")
	words, operators := []string{"drain", "maint"}, []string{"alice", "bob"}
	wins := map[string]int{}
	for round := range 200 {
		c.put(t, stateKey+"prod-1", "ready")
		var ends [2]*testbed.Process
		for i, word := range words {
			cmd := exec.Command(testbed.Binary(t), word, "prod-1", "--environment", "prod",
				"--reason", fmt.Sprintf("round %d by %s", round, operators[i]))
			cmd.Env = vars{"CONSUL_HTTP_ADDR": n.origin, "SUDO_USER": operators[i]}.Environ()
			ends[i] = testbed.Start(t, cmd)
		}
		codes := [2]int{ends[0].Exit(t), ends[1].Exit(t)}
		if codes != [2]int{0, 1} && codes != [2]int{1, 0} {
			t.Fatalf("round %d: exit codes %v; want 0 for one and 1 for the other\n%s\n%s",
				round, codes, ends[0].Stderr(), ends[1].Stderr())
		}
		winner, loser := 0, 1
		if codes[0] != 0 {
			winner, loser = 1, 0
		}
		wins[operators[winner]]++
		if got := c.value(t, stateKey+"prod-1"); got != words[winner] {
			t.Fatalf("round %d: the wanted state is %s after %s succeeded", round, got, words[winner])
		}
		if said := ends[loser].Stderr(); !strings.Contains(said, operators[winner]) || !strings.Contains(said, words[winner]) {
			t.Fatalf("round %d: %s is not told of %s by %s: %s",
				round, operators[loser], words[winner], operators[winner], said)
		}
	}
	t.Logf("wins: %v", wins)
}

// pairs lets requests pass two at a time.
type pairs struct {
	mu    sync.Mutex
	first chan struct{} // of a request that waits for the second; nil if there is none
}

func (p *pairs) wait(ctx context.Context) {
	p.mu.Lock()
	if p.first != nil {
		close(p.first)
		p.first = nil
		p.mu.Unlock()
		return
	}
	first := make(chan struct{})
	p.first = first
	p.mu.Unlock()
	select {
	case <-first:
	case <-ctx.Done():
	}
}
