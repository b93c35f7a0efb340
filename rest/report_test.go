package rest

import (
	"encoding/json"
	"sync"
	"testing"
)

// TestReportsAreConsistentWhileTheNodeChanges checks that each reply, with its status code, is of one snapshot.
func TestReportsAreConsistentWhileTheNodeChanges(t *testing.T) {
	r := startServer(t, setup{})
	r.node.enter(t, "up")
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range 50 {
				answer := r.ask(t, "GET", "/signal/report")
				var report struct {
					Healthy      bool
					AgentMessage string
				}
				if err := json.Unmarshal([]byte(answer.body), &report); err != nil {
					t.Errorf("%v: %s", err, answer.body)
					return
				}
				if (answer.code == 200) != report.Healthy || (report.AgentMessage[:2] == "up") != report.Healthy {
					t.Errorf("%d: %s", answer.code, answer.body)
				}
			}
		})
	}
	for range 50 {
		r.node.enter(t, "down")
		r.node.enter(t, "up")
		r.node.enter(t, "drain")
	}
	clients.Wait()
}
