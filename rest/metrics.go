package rest

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes is how many scrapes may be under way; more are answered 503.
const maxScrapes = 8

// metricsHandler serves Prometheus text, OpenMetrics or protobuf, as negotiated: all that can be gathered, even when some
// of it cannot. It does not compress: that would be a fifth of a scrape's cost, and a megabyte, for a text of 15 KB.
func (o Options) metricsHandler() http.Handler {
	return promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{
		EnableOpenMetrics:   true,
		DisableCompression:  true,
		ErrorHandling:       promhttp.ContinueOnError,
		ErrorLog:            slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: maxScrapes,
	})
}
