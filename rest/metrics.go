package rest

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes is the number of scrapes that may run at once; further ones get a 503.
const maxScrapes = 8

// metricsHandler serves Prometheus text, OpenMetrics or protobuf, as negotiated. A collector that fails does not hide
// the metrics of the others. Replies are not compressed: for a text of 15 KB that would cost a fifth of the CPU of a
// scrape.
func (o Options) metricsHandler() http.Handler {
	return promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{
		EnableOpenMetrics:   true,
		DisableCompression:  true,
		ErrorHandling:       promhttp.ContinueOnError,
		ErrorLog:            slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: maxScrapes,
	})
}
