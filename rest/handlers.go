package rest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const jsonType = "application/json; charset=utf-8"

// noCensus is the body of the reply when the last poll of the census failed, or none has ended yet.
var noCensus = []byte(`{"room_census":null}`)

type handlers struct {
	source Source
	watch  SelfWatch // nil if the sidecar always makes progress
	census *flights
	consul ConsulSource
	in     *instruments
}

// self replies whether the sidecar itself makes progress.
func (h *handlers) self(c *gin.Context) {
	if h.watch != nil {
		if err := h.watch.Stalled(time.Now()); err != nil {
			c.String(http.StatusServiceUnavailable, "%s", err)
			return
		}
	}
	c.String(http.StatusOK, "OK")
}

// current returns the current snapshot, without its verdict if that is out of date.
func (h *handlers) current() *health.Snapshot {
	s := h.source.Current()
	if h.watch != nil && h.watch.Stale(time.Now()) {
		return s.WithoutVerdict()
	}
	return s
}

// nodeHealth replies with the node's health as a status code, without a body. Its headers give the state and the root
// reason, for the logs of the client.
func (h *handlers) nodeHealth(c *gin.Context) {
	s := h.current()
	code := codeOf(s)
	h.in.countHealthCheck(c.Request.Context(), code == http.StatusOK)
	c.Header("Signal-Status", s.Verdict.State())
	if reason := s.Verdict.RootReason(); reason != "" {
		c.Header("Signal-Reason", string(reason))
	}
	c.Header("Content-Length", "0")
	c.Status(code)
}

// report replies with everything that is known, with the same status codes as nodeHealth.
func (h *handlers) report(c *gin.Context) {
	s := h.current()
	sendJSON(c.Writer, codeOf(s), render(s.Report()))
}

// codeOf returns the HTTP status code for the node's health.
func codeOf(s *health.Snapshot) int {
	switch {
	case !s.Verdict.Known:
		return http.StatusInternalServerError
	case !s.Verdict.Healthy:
		return http.StatusServiceUnavailable
	default:
		return http.StatusOK
	}
}

// The limits of the replies of /signal/census in flight. The rooms can take 32 MiB.
const (
	maxCensuses     = 64
	maxCensusBodies = 2 // the current one, and one that slow clients are still receiving
)

// showCensus replies with the rooms as prosody sent them. All clients share the body that was read.
func (h *handlers) showCensus(c *gin.Context) {
	census := h.source.Current().Census
	if !census.OK() {
		sendJSON(c.Writer, http.StatusServiceUnavailable, noCensus)
		return
	}
	end, ok := h.census.begin(census, c.Writer)
	if !ok {
		c.Header("Retry-After", strconv.Itoa(retryBusy))
		sendJSON(c.Writer, http.StatusServiceUnavailable, noCensus)
		return
	}
	defer end()
	sendJSON(c.Writer, http.StatusOK, []byte(`{"room_census":`), census.Rooms, []byte(`}`))
}

// explain replies with the reasons for the verdict and what it becomes next. The status code is 200 for every verdict:
// it describes the verdict and does not stand for it.
func (h *handlers) explain(c *gin.Context) {
	sendJSON(c.Writer, http.StatusOK, render(h.consul.explain(h.current())))
}

// render returns JSON. It panics on a value that JSON cannot represent; no reply of this package holds one.
func render(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}

// noStore forbids caches to store a reply: a shared cache could otherwise return an old 200 for /about/health. Only the
// assets of the page override it, because their names change with their content.
func noStore(c *gin.Context) { c.Header("Cache-Control", "no-store") }

// sendJSON replies with JSON.
func sendJSON(w http.ResponseWriter, code int, parts ...[]byte) { send(w, code, jsonType, parts...) }

// send replies with a body, given in parts so that large ones are not copied. It sets Content-Length, so that the reply
// to HEAD has it too.
func send(w http.ResponseWriter, code int, contentType string, parts ...[]byte) {
	length := 0
	for _, part := range parts {
		length += len(part)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(code)
	for _, part := range parts {
		// An error means that the client is gone. What came from outside is escaped, by encoding/json or html/template.
		_, _ = w.Write(part) //nolint:gosec // G705: see above
	}
}
