package rest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
)

// askReport calls the handler directly, and returns what it has rendered.
func askReport(h *handlers) (*rendering, *httptest.ResponseRecorder) {
	recorder := httptest.NewRecorder()
	c, _ := gin.CreateTestContext(recorder)
	c.Request = httptest.NewRequest(http.MethodGet, "/signal/report", nil)
	h.report(c)
	return h.latest.Load(), recorder
}

// TestReportIsRenderedOnce for each snapshot, however often it is asked for.
func TestReportIsRenderedOnce(t *testing.T) {
	n := newNode(false)
	h := &handlers{source: n}
	n.enter(t, "up")
	first, _ := askReport(h)
	second, _ := askReport(h)
	if first != second || &first.body[0] != &second.body[0] {
		t.Error("the same snapshot was rendered twice")
	}
	n.enter(t, "drain")
	third, answer := askReport(h)
	if third == first || third.of != n.Current() {
		t.Error("a new snapshot was not rendered")
	}
	if answer.Body.String() != string(third.body) {
		t.Errorf("the answer is %s", answer.Body)
	}
}

// TestReportsAreWholeWhileTheNodeChanges: each is of one snapshot, its code included.
func TestReportsAreWholeWhileTheNodeChanges(t *testing.T) {
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
