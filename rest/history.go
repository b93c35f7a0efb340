package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

var errSince = errors.New("must be a moment such as 2026-03-01T03:00:00Z, or how long ago, such as 15m")

// history shows what happened, newest first: all that is kept, or what came since a moment.
type history struct {
	since func(time.Time) any
}

func (h *history) page(c *gin.Context) {
	since, err := parseSince(c.Query("since"), time.Now())
	if err != nil {
		body, _ := json.Marshal(map[string]string{"error": err.Error()})
		answer(c, http.StatusBadRequest, body)
		return
	}
	body, err := json.Marshal(h.since(since))
	if err != nil {
		_ = c.AbortWithError(http.StatusInternalServerError, err)
		return
	}
	answer(c, http.StatusOK, body)
}

// parseSince reads a moment (RFC 3339), or a duration back from now; "" is the beginning.
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

// short quotes the beginning of a text that anybody may have sent.
func short(text string) string {
	const limit = 80
	if len(text) > limit {
		return strconv.Quote(text[:limit]) + "…"
	}
	return strconv.Quote(text)
}
