package rest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	maxHistories      = 32      // replies of /signal/history in flight
	maxHistoryBodies  = 4       // different bodies among them
	minCompressedBody = 1 << 10 // bytes
)

var errSince = errors.New("must be a time such as 2026-03-01T03:00:00Z, or a duration before now, such as 15m")

// past serves /signal/history. The whole history is rendered once for all clients until something is added.
type past struct {
	history History
	flights *flights

	rendering sync.Mutex // one client at a time
	last      *rendered  // the whole history; guarded by rendering
}

// rendered is a body and the version of the history that it shows.
type rendered struct {
	version uint64
	plain   []byte
	zipped  []byte // nil until a client accepts it
}

// serve replies with what happened, newest first: all that is kept, or what happened at a time and after it.
func (p *past) serve(c *gin.Context) {
	since, err := parseSince(c.Query("since"), time.Now())
	c.Header("Vary", "Accept-Encoding")
	if err != nil {
		sendJSON(c.Writer, http.StatusBadRequest, render(map[string]string{"error": err.Error()}))
		return
	}
	var version any = c.Request // a part of the history is rendered for each client
	if since.IsZero() {
		version = p.history.Version()
	}
	end, ok := p.flights.begin(version, c.Writer)
	if !ok {
		busy(c)
		return
	}
	defer end()
	body, zipped := p.body(since, acceptsGzip(c.GetHeader("Accept-Encoding")))
	if zipped {
		c.Header("Content-Encoding", "gzip")
	}
	sendJSON(c.Writer, http.StatusOK, body)
}

// body returns the history since a time, compressed if that is wanted and it is long enough.
func (p *past) body(since time.Time, zip bool) (body []byte, zipped bool) {
	p.rendering.Lock()
	defer p.rendering.Unlock()
	version := p.history.Version() // before the history is read: an entry that comes in between is rendered again
	r := p.last
	if !since.IsZero() || r == nil || r.version != version {
		r = &rendered{version: version, plain: render(p.history.Since(since))}
	}
	if since.IsZero() {
		p.last = r
	}
	if !zip || len(r.plain) < minCompressedBody {
		return r.plain, false
	}
	if r.zipped == nil {
		r.zipped = compress(r.plain)
	}
	return r.zipped, true
}

// compress returns a body in gzip's format.
func compress(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body) // a bytes.Buffer never fails
	_ = w.Close()
	return b.Bytes()
}

// acceptsGzip reports whether an Accept-Encoding header allows gzip (RFC 9110, 12.5.3).
func acceptsGzip(header string) bool {
	accepted := false
	for coding := range strings.SplitSeq(strings.ToLower(header), ",") {
		name, parameters, _ := strings.Cut(coding, ";")
		weight := 1.0
		if _, q, found := strings.Cut(parameters, "q="); found {
			weight, _ = strconv.ParseFloat(strings.TrimSpace(q), 64) // 0 for a bad one
		}
		switch strings.TrimSpace(name) {
		case "gzip":
			return weight > 0
		case "*":
			accepted = weight > 0
		}
	}
	return accepted
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
