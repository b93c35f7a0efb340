package rest

import (
	"log/slog"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"golang.org/x/sync/singleflight"
)

// maxScrapes is the number of scrapes that may run at once; further ones get a 503. They share one gathering, so each
// costs only the memory of its encoding.
const maxScrapes = 64

// metricsHandler serves Prometheus text, OpenMetrics or protobuf, as negotiated. A collector that fails does not hide
// the metrics of the others. Replies are not compressed: for a text of 15 KB that would cost a fifth of the CPU of a
// scrape.
func (o Options) metricsHandler(scrapes *flights) gin.HandlerFunc {
	handler := promhttp.HandlerFor(&sharedGatherer{Gatherer: o.Gatherer}, promhttp.HandlerOpts{
		EnableOpenMetrics:  true,
		DisableCompression: true,
		ErrorHandling:      promhttp.ContinueOnError,
		ErrorLog:           slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
	})
	return func(c *gin.Context) {
		end, ok := scrapes.begin(c.Request)
		if !ok {
			busy(c)
			return
		}
		defer end()
		handler.ServeHTTP(c.Writer, c.Request)
	}
}

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
