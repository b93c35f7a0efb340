package rest

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

const jsonType = "application/json; charset=utf-8"

// noCensus is the answer when the last poll of the census failed, or none has ended yet.
var noCensus = []byte(`{"room_census":null}`)

type handlers struct {
	source  Source
	history func(since time.Time) any // nil without a history
	in      *instruments

	latest atomic.Pointer[rendering]
}

// self says that the sidecar itself runs.
func (h *handlers) self(c *gin.Context) { c.String(http.StatusOK, "OK") }

// nodeHealth is the node's health as a status code, without a body. Its headers say why, for the logs of whoever asks.
func (h *handlers) nodeHealth(c *gin.Context) {
	r := h.current()
	h.in.countHealthCheck(r.code == http.StatusOK)
	maps.Copy(c.Writer.Header(), r.health)
	c.Status(r.code)
}

// report is everything that is known, under the same code.
func (h *handlers) report(c *gin.Context) {
	r := h.current()
	maps.Copy(c.Writer.Header(), r.report)
	c.Status(r.code)
	_, _ = c.Writer.Write(r.body) // a client that is gone needs no answer
}

// census passes on the rooms as prosody sent them.
func (h *handlers) census(c *gin.Context) {
	census := h.source.Current().Census
	if !census.OK() {
		answer(c.Writer, http.StatusServiceUnavailable, noCensus)
		return
	}
	answer(c.Writer, http.StatusOK, []byte(`{"room_census":`), census.Rooms, []byte(`}`))
}

// explain says why the verdict is what it is, and what comes next. The code is 200 whatever the verdict: it is an answer
// about the answer.
func (h *handlers) explain(c *gin.Context) {
	answer(c.Writer, http.StatusOK, render(h.source.Current().Explain()))
}

// render returns JSON. Only values that JSON cannot tell, which none of ours is, make it panic.
func render(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}

// noStore keeps every answer out of caches: a shared cache may otherwise keep a 200 of /about/health. Only the page's
// assets, whose names change with their content, say something else.
func noStore(c *gin.Context) { c.Writer.Header()["Cache-Control"] = noStoreValue }

var noStoreValue = []string{"no-store"} // shared, so that an answer costs no allocation

// answer sends JSON.
func answer(w http.ResponseWriter, code int, parts ...[]byte) { send(w, code, jsonType, parts...) }

// send sends a body, given in parts so that large ones need no copy; with its length, so that the answer to HEAD has it too.
func send(w http.ResponseWriter, code int, contentType string, parts ...[]byte) {
	length := 0
	for _, part := range parts {
		length += len(part)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(code)
	for _, part := range parts {
		_, _ = w.Write(part) // a client that is gone needs no answer
	}
}
