package rest

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

// maxScrapes is how many scrapes of a format may be under way; more are answered 503.
const maxScrapes = 8

// metricsHandler serves Prometheus text, OpenMetrics or protobuf, as negotiated.
func metricsHandler(o Options) http.Handler {
	classic := o.scrapeHandler(o.Gatherer)
	if o.NativeGatherer == nil {
		return classic
	}
	native := o.scrapeHandler(o.NativeGatherer)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if expfmt.NegotiateAccept(r.Header, expfmt.DefaultOpenMetricsAcceptedFormats()...).FormatType() == expfmt.TypeProtoDelim {
			native.ServeHTTP(w, r)
			return
		}
		classic.ServeHTTP(w, r)
	})
}

// scrapeHandler shows what a gatherer has, even when some of it cannot be gathered. It does not compress: that would be a
// fifth of a scrape's cost, and a megabyte, for a text of 15 KB.
func (o Options) scrapeHandler(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{
		EnableOpenMetrics:   true,
		DisableCompression:  true,
		ErrorHandling:       promhttp.ContinueOnError,
		ErrorLog:            slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: maxScrapes,
	})
}
