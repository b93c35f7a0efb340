package rest

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"sync"

	"github.com/gin-gonic/gin"
)

// turns bounds how many replies are rendered at the same time, and so the memory and the processor time that many
// clients can take from agent checks and probes. A turn ends when the handler begins to write its reply: a slow
// client must not keep others out. The health endpoints cost little and take no turn; /metrics takes one only for the
// encoding, so that all scrapes can share a gathering. The fleet's page and JSON take none: they wait for Consul, and
// are rendered once for all clients.
type turns chan struct{}

var withoutTurn = []string{metricsPath, fleetPath, fleetJSONPath}

func newTurns() turns { return make(turns, max(2, runtime.GOMAXPROCS(0))) }

// wait waits for a turn and calls the handlers of a request.
func (t turns) wait(c *gin.Context) {
	if path := c.FullPath(); slices.Contains(withoutTurn, path) || slices.Contains(openRoutes, path) {
		c.Next()
		return
	}
	if !t.begin(c.Request.Context()) {
		c.Abort()
		return
	}
	w := &turnWriter{ResponseWriter: c.Writer, end: sync.OnceFunc(t.end)}
	defer w.end()
	c.Writer = w
	c.Next()
}

// begin waits for a turn. It returns false if the client is gone first.
func (t turns) begin(ctx context.Context) bool {
	select {
	case t <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t turns) end() { <-t }

// turnWriter ends the turn of a request at the first write.
type turnWriter struct {
	gin.ResponseWriter
	end func()
}

func (w *turnWriter) Write(b []byte) (int, error) {
	w.end()
	return w.ResponseWriter.Write(b)
}

func (w *turnWriter) WriteString(s string) (int, error) {
	w.end()
	return w.ResponseWriter.WriteString(s)
}

// Unwrap is for http.ResponseController.
func (w *turnWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
