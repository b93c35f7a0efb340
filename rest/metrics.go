package rest

import (
	"bytes"
	"log/slog"
	"net/http"
	"slices"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"golang.org/x/sync/singleflight"
)

// maxScrapes is the number of scrapes that may run at once: see flights. They share one gathering, so each costs only
// the memory of its encoding.
const maxScrapes = 64

const metricsPath = "/metrics"

// metricsHandler serves Prometheus text, OpenMetrics or protobuf, as negotiated. A collector that fails does not hide
// the metrics of the others. Replies are not compressed: for a text of 15 KB that would cost a fifth of the CPU of a
// scrape.
func (o Options) metricsHandler(scrapes *flights, turns turns) gin.HandlerFunc {
	shared := &sharedGatherer{Gatherer: o.Gatherer}
	options := promhttp.HandlerOpts{
		EnableOpenMetrics:  true,
		DisableCompression: true,
		ErrorHandling:      promhttp.ContinueOnError,
		ErrorLog:           slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
	}
	return func(c *gin.Context) {
		end, ok := scrapes.begin(c.Request, c.Writer)
		if !ok {
			busy(c)
			return
		}
		defer end()
		families, err := shared.Gather()
		if !turns.begin(c.Request.Context()) {
			return
		}
		endTurn := sync.OnceFunc(turns.end)
		defer endTurn()
		w := &buffered{header: c.Writer.Header(), code: http.StatusOK}
		result := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, err })
		promhttp.HandlerFor(result, options).ServeHTTP(w, c.Request)
		endTurn()
		c.Status(w.code)
		_, _ = w.body.WriteTo(c.Writer) // an error means that the client is gone
	}
}

// buffered is a ResponseWriter that keeps the body, so that the turn of the request covers its encoding.
type buffered struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (b *buffered) Header() http.Header            { return b.header }
func (b *buffered) WriteHeader(code int)           { b.code = code }
func (b *buffered) Write(part []byte) (int, error) { return b.body.Write(part) }

// sharedGatherer gathers once for all who ask at the same time. promhttp's CoalesceGather also shares a result with
// those who ask later, while any client is still receiving it: a few slow clients would make the metrics old.
type sharedGatherer struct {
	prometheus.Gatherer
	group singleflight.Group
}

// gathered is the result of a gathering. panicked is the value of its panic, or nil.
type gathered struct {
	families []*dto.MetricFamily
	panicked any
}

// Gather implements prometheus.Gatherer. It panics for each caller if the gathering panicked.
func (g *sharedGatherer) Gather() ([]*dto.MetricFamily, error) {
	result, err, _ := g.group.Do("", func() (result any, err error) {
		defer func() {
			if value := recover(); value != nil {
				result = gathered{panicked: value}
			}
		}()
		families, err := g.Gatherer.Gather()
		return gathered{families: families}, err
	})
	all := result.(gathered)
	if all.panicked != nil {
		panic(all.panicked)
	}
	return slices.Clone(all.families), err
}
