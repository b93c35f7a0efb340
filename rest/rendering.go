package rest

import (
	"net/http"
	"strconv"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// rendering is what the answers that are asked for most say of one snapshot. It is made once, however often it is asked for.
type rendering struct {
	of     *health.Snapshot
	code   int         // that tells the node's health
	health http.Header // of the answer without a body
	report http.Header // of body
	body   []byte      // the report
}

// current returns the rendering of the current snapshot.
func (h *handlers) current() *rendering {
	s := h.source.Current()
	r := h.latest.Load()
	if r == nil || r.of != s {
		r = newRendering(s)
		h.latest.Store(r)
	}
	return r
}

func newRendering(s *health.Snapshot) *rendering {
	r := &rendering{of: s, code: codeOf(s), body: render(s.Report())}
	r.health = http.Header{"Signal-Status": {s.Verdict.State()}, "Content-Length": {"0"}}
	if reason := s.Verdict.RootReason(); reason != "" {
		r.health["Signal-Reason"] = []string{string(reason)}
	}
	r.report = http.Header{"Content-Type": {jsonType}, "Content-Length": {strconv.Itoa(len(r.body))}}
	return r
}

// codeOf is the HTTP status that tells the node's health.
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
