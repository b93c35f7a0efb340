package rest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/metric"
)

// eventsPath is the path of the event stream, which keeps an open page up to date.
const eventsPath = "/signal/events"

const (
	maxStreams = 64
	// coalesceTime is the least time between two events of a stream, so that the observations of one round of polls are
	// sent as one event.
	coalesceTime = 100 * time.Millisecond
	// heartbeatTime is the longest time without an event. After a little more than twice that, page.js treats the stream
	// as lost.
	heartbeatTime = 5 * time.Second
	// eventTime is the time limit for sending an event; a slower client is disconnected.
	eventTime = 5 * time.Second
	// retryTime is the time after which a browser connects again; retryFull the same while all streams are in use.
	retryTime = 2 * time.Second
	retryFull = 10 * time.Second
)

// streams counts the open event streams, and ends all of them at shutdown.
type streams struct {
	count atomic.Int64
	ended context.Context // done when all streams have to end
	end   context.CancelFunc
}

func newStreams() *streams {
	l := new(streams)
	l.ended, l.end = context.WithCancel(context.Background()) //nolint:gosec // the server calls it when it shuts down
	return l
}

// register exports the number of open streams.
func (l *streams) register(provider metric.MeterProvider) error {
	_, err := provider.Meter(meterName).Int64ObservableGauge("signal.page.listeners",
		metric.WithUnit("{page}"), metric.WithDescription("Status pages that are open and live now, at most 64."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(l.count.Load())
			return nil
		}))
	if err != nil {
		return fmt.Errorf("create the instrument of the status page: %w", err)
	}
	return nil
}

// add counts a stream, or returns false if there are maxStreams already.
func (l *streams) add() bool {
	if l.count.Add(1) > maxStreams {
		l.remove()
		return false
	}
	return true
}

func (l *streams) remove() { l.count.Add(-1) }

// events replies with a stream of server-sent events: the parts of the page whenever something new is observed. Each
// stream waits until the snapshot that it sent last is superseded; nothing waits for a stream.
func (p *page) events(c *gin.Context) { p.streams.serve(c, p.feed) }

// serve replies with a stream of server-sent events. feed sends them until ctx ends, or the client is gone or too slow.
func (l *streams) serve(c *gin.Context, feed func(ctx context.Context, s stream)) {
	if !l.add() {
		c.Header("Retry-After", strconv.Itoa(int(retryFull.Seconds())))
		c.String(http.StatusServiceUnavailable, "%d event streams are open already; retry later", maxStreams)
		return
	}
	defer l.remove()
	protect(c)
	c.Header("Content-Type", "text/event-stream; charset=utf-8")
	c.Header("X-Accel-Buffering", "no") // nginx would buffer events
	c.Status(http.StatusOK)
	if c.Request.Method == http.MethodHead {
		return
	}
	ctx, cancel := context.WithCancel(c.Request.Context())
	defer cancel()
	defer context.AfterFunc(l.ended, cancel)()
	s := stream{c.Writer, http.NewResponseController(c.Writer)}
	if s.control.SetReadDeadline(time.Time{}) == nil && s.send(retry) { // the server's deadline is for the request
		feed(ctx, s)
	}
}

// feed sends events until ctx ends, or the client is gone or too slow.
func (p *page) feed(ctx context.Context, s stream) {
	for {
		r := p.render(coalesceTime)
		if !s.send(clock(), r.event) {
			return
		}
		if _, ok := await(ctx, s, r.of.Superseded(), func() bool { return p.stale(time.Now()) != r.stale }); !ok {
			return
		}
		select {
		case <-time.After(coalesceTime):
		case <-ctx.Done():
			return
		}
	}
}

// stream is the connection to one client.
type stream struct {
	http.ResponseWriter
	control *http.ResponseController
}

// send writes and flushes. It returns false if the client is gone or too slow.
func (s stream) send(parts ...[]byte) bool {
	if s.control.SetWriteDeadline(time.Now().Add(eventTime)) != nil {
		return false
	}
	for _, part := range parts {
		if _, err := s.Write(part); err != nil {
			return false
		}
	}
	return s.control.Flush() == nil
}

// await sends heartbeats until next has a value or is closed, and returns the value or the zero value. Instead of a
// heartbeat it returns the zero value if changed returns true. ok is false if the stream has to end.
func await[T any](ctx context.Context, s stream, next <-chan T, changed func() bool) (value T, ok bool) {
	heartbeat := time.NewTicker(heartbeatTime)
	defer heartbeat.Stop()
	for {
		select {
		case value = <-next:
			return value, true
		case <-ctx.Done():
			return value, false
		case <-heartbeat.C:
			if changed() {
				return value, true
			}
			if !s.send([]byte(": heartbeat\n"), clock()) {
				return value, false
			}
		}
	}
}

var retry = fmt.Appendf(nil, "retry: %d\n\n", retryTime.Milliseconds())

// clock is an event with the server's time, in milliseconds since the epoch, and the build of the page. page.js counts
// down from the time, and reloads the page when the build changes.
func clock() []byte {
	return asEvent("clock", fmt.Appendf(nil, "%d %s", time.Now().UnixMilli(), loadAssets().build))
}

// asEvent returns a server-sent event with a text. Each line end in it (CR, LF or CRLF) begins a new data field, so
// that no text can end the event early.
func asEvent(name string, text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\n"), []byte("\ndata: "))
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, text)
}
