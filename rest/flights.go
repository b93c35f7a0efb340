package rest

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// bounds are the limits of the replies that take long or much memory.
type bounds struct {
	streams                  *streams
	history, census, scrapes *flights
	turns                    turns
	fleet                    *flights
}

func newBounds() *bounds {
	return &bounds{
		streams: newStreams(), turns: newTurns(), history: newFlights(maxHistories, maxHistoryBodies),
		census: newFlights(maxCensuses, maxCensusBodies), scrapes: newFlights(maxScrapes, maxScrapes),
		fleet: newFlights(maxFleets, maxFleetBodies),
	}
}

// flightTime is how long a reply in flight keeps its place while another one needs it.
const flightTime = time.Second

// flights bounds the replies in flight of a route whose bodies are large. A body stays in memory until its slowest
// client has received it, so the number of different bodies is bounded too. When there are too many, a new reply
// replaces the oldest ones, whose connections are closed: slow clients cannot keep others out.
type flights struct {
	replies, bodies int // at most
	keep            time.Duration

	mu     sync.Mutex
	flying []*flight // the oldest first
}

// flight is a reply in flight.
type flight struct {
	body  any // comparable
	began time.Time
	w     http.ResponseWriter
}

func newFlights(replies, bodies int) *flights {
	return &flights{replies: replies, bodies: bodies, keep: flightTime}
}

// begin counts a reply with a body, which is identified by a comparable value. It returns false if there are too many,
// all of which are younger than flightTime.
func (f *flights) begin(body any, w http.ResponseWriter) (end func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.full(body) {
		oldest := f.flying[0]
		if time.Since(oldest.began) < f.keep {
			return nil, false
		}
		f.flying = f.flying[1:]
		_ = http.NewResponseController(oldest.w).SetWriteDeadline(time.Now()) // its handler then returns
	}
	reply := &flight{body, time.Now(), w}
	f.flying = append(f.flying, reply)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.flying = slices.DeleteFunc(f.flying, func(other *flight) bool { return other == reply })
	}, true
}

// full reports whether there is no place for a reply with this body. The caller holds mu.
func (f *flights) full(body any) bool {
	bodies := map[any]bool{body: true}
	for _, reply := range f.flying {
		bodies[reply.body] = true
	}
	return len(f.flying) >= f.replies || len(bodies) > f.bodies
}

// retryBusy is the time in seconds after which a client may retry a request that was refused because of too many.
const retryBusy = 1

// busy replies that there are too many requests in flight.
func busy(c *gin.Context) {
	c.Header("Retry-After", strconv.Itoa(retryBusy))
	c.String(http.StatusServiceUnavailable, "too many of these requests are in progress; retry later")
}
