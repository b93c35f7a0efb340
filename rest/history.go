package rest

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzhttp"
)

var errSince = errors.New("must be a time such as 2026-03-01T03:00:00Z, or a duration before now, such as 15m")

// past replies with what happened, newest first: all that is kept, or what happened at a time and after it.
func (h *handlers) past(w http.ResponseWriter, r *http.Request) {
	since, err := parseSince(r.URL.Query().Get("since"), time.Now())
	if err != nil {
		sendJSON(w, http.StatusBadRequest, render(map[string]string{"error": err.Error()}))
		return
	}
	sendJSON(w, http.StatusOK, render(h.history.Since(since)))
}

// compressed compresses a body over 1 KiB with gzip for clients that accept it. gzhttp does not compress the reply to
// HEAD, whose headers would then differ from those of GET: so the handler gets a GET, and net/http omits the body.
func compressed(handler http.HandlerFunc) (gin.HandlerFunc, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.EnableZstd(false))
	if err != nil {
		return nil, err
	}
	compressing := wrap(handler)
	return func(c *gin.Context) {
		get := *c.Request
		get.Method = http.MethodGet
		compressing.ServeHTTP(c.Writer, &get)
	}, nil
}

// parseSince reads a time (RFC 3339) or a duration before now; the zero time for "".
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	// In a query, the + of a time zone is a space unless it was escaped.
	if at, err := time.Parse(time.RFC3339, strings.Replace(text, " ", "+", 1)); err == nil {
		return at, nil
	}
	return time.Time{}, fmt.Errorf("since=%s: %w", short(text), errSince)
}

// short quotes at most the first 80 bytes of a text from a client.
func short(text string) string {
	const limit = 80
	if len(text) > limit {
		return strconv.Quote(text[:limit]) + "…"
	}
	return strconv.Quote(text)
}
