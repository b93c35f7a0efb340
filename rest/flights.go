package rest

import (
	"net/http"
	"strconv"
	"sync"

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

// flights bounds the replies in flight of a route whose bodies are large. A body stays in memory until its slowest
// client has received it, so the number of different bodies is bounded too.
type flights struct {
	replies, bodies int // at most

	mu    sync.Mutex
	count int
	users map[any]int // replies in flight by body
}

func newFlights(replies, bodies int) *flights {
	return &flights{replies: replies, bodies: bodies, users: map[any]int{}}
}

// begin counts a reply with a body, which is identified by a comparable value. It returns false if there are too many.
func (f *flights) begin(body any) (end func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == f.replies || f.users[body] == 0 && len(f.users) == f.bodies {
		return nil, false
	}
	f.count++
	f.users[body]++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.count--
		if f.users[body]--; f.users[body] == 0 {
			delete(f.users, body)
		}
	}, true
}

// retryBusy is the time in seconds after which a client may retry a request that was refused because of too many.
const retryBusy = 1

// busy replies that there are too many requests in flight.
func busy(c *gin.Context) {
	c.Header("Retry-After", strconv.Itoa(retryBusy))
	c.String(http.StatusServiceUnavailable, "too many of these requests are in progress; retry later")
}
