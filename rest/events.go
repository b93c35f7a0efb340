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

// eventsPath is the stream that keeps pages live.
const eventsPath = "/signal/events"

const (
	maxListeners = 64
	// settleTime is what an event waits for, so that the observations of one round of polls are one event.
	settleTime = 100 * time.Millisecond
	// heartbeatTime is the longest that a listener hears nothing. After twice that, page.js takes the stream for lost.
	heartbeatTime = 15 * time.Second
	// eventTime is what a listener has to take an event; who is slower is dropped.
	eventTime = 5 * time.Second
	// retryTime is what a browser waits before it connects again, retryFull what it is told to wait while there is no place.
	retryTime = 2 * time.Second
	retryFull = 10 * time.Second
)

// listeners counts those who listen. Nothing else is known of them.
type listeners struct {
	count atomic.Int64
	ended context.Context // when all streams end
	end   context.CancelFunc
}

func newListeners() *listeners {
	l := new(listeners)
	l.ended, l.end = context.WithCancel(context.Background()) //nolint:gosec // the server calls it when it shuts down
	return l
}

// register shows how many listen.
func (l *listeners) register(provider metric.MeterProvider) error {
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

// add takes a place; false says that there is none.
func (l *listeners) add() bool {
	if l.count.Add(1) > maxListeners {
		l.remove()
		return false
	}
	return true
}

func (l *listeners) remove() { l.count.Add(-1) }

// listen answers the stream of server-sent events: the parts of the page whenever there is something new in them, and a
// heartbeat. Each listener waits on the snapshot that it was sent last; nobody waits for a listener.
func (p *page) listen(c *gin.Context) {
	if !p.listeners.add() {
		c.Header("Retry-After", strconv.Itoa(int(retryFull.Seconds())))
		c.String(http.StatusServiceUnavailable, "%d listen already", maxListeners)
		return
	}
	defer p.listeners.remove()
	protect(c)
	c.Header("Content-Type", "text/event-stream; charset=utf-8")
	c.Header("X-Accel-Buffering", "no") // nginx would hold events back
	c.Status(http.StatusOK)
	if c.Request.Method == http.MethodHead {
		return
	}
	ctx, cancel := context.WithCancel(c.Request.Context())
	defer cancel()
	defer context.AfterFunc(p.listeners.ended, cancel)()
	s := stream{c.Writer, http.NewResponseController(c.Writer)}
	if s.control.SetReadDeadline(time.Time{}) == nil && s.send(retry) { // that of the server is for the request
		p.feed(ctx, s)
	}
}

// feed sends events until ctx ends, or the listener is gone or too slow.
func (p *page) feed(ctx context.Context, s stream) {
	for {
		r := p.render(settleTime)
		if !s.send(clock(), r.event) || !s.await(ctx, r.of.Superseded()) {
			return
		}
		select {
		case <-time.After(settleTime):
		case <-ctx.Done():
			return
		}
	}
}

// stream is the way to one listener.
type stream struct {
	http.ResponseWriter
	control *http.ResponseController
}

// send writes and flushes; false says that the listener is gone, or did not take it in time.
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

// await waits for news, and sends heartbeats meanwhile; false says that the stream is at its end.
func (s stream) await(ctx context.Context, news <-chan struct{}) bool {
	heartbeat := time.NewTicker(heartbeatTime)
	defer heartbeat.Stop()
	for {
		select {
		case <-news:
			return true
		case <-ctx.Done():
			return false
		case <-heartbeat.C:
			if !s.send([]byte(": heartbeat\n"), clock()) {
				return false
			}
		}
	}
}

var retry = fmt.Appendf(nil, "retry: %d\n\n", retryTime.Milliseconds())

// clock is an event that tells the server's time, in milliseconds since the epoch, and which build of the page it serves:
// a browser counts down from the former, and loads the page anew when the latter changes.
func clock() []byte {
	return asEvent("clock", fmt.Appendf(nil, "%d %s", time.Now().UnixMilli(), loadAssets().build))
}

// asEvent makes an event of a text. Each end of a line in it, be it a carriage return, begins a new line of data: no text
// can end the event.
func asEvent(name string, text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\n"), []byte("\ndata: "))
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, text)
}
