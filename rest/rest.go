// Package rest serves people and programs over HTTP: the health of the node, the report, the census,
// and the scrape endpoint. It renders the current snapshot and contains no rule about health.
package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/sync/errgroup"

	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
)

const (
	// maxConnections bounds the open connections of all listeners, as does half of the file descriptors that the process
	// may have: the remaining ones are for the probes, the agent and the status file. Each takes some 20 KiB of memory.
	maxConnections = 1024
	// maxEncrypted bounds them if they have TLS: each may have maxStreamsOfOne requests in progress.
	maxEncrypted   = 128
	maxHeaderBytes = 16 << 10
	// maxStreamsOfOne bounds the requests in progress of one HTTP/2 connection. Each takes some 20 KiB of memory; an open
	// status page takes one.
	maxStreamsOfOne = 8

	readTimeout  = 5 * time.Second // of a whole request
	writeTimeout = 30 * time.Second
	idleTimeout  = 90 * time.Second // above the 60 s that proxies keep idle connections

	// shutdownTime is the time limit for requests in flight at shutdown.
	shutdownTime = time.Second
	// firstRequestTime is the part of it for which a new connection may take to send its request.
	firstRequestTime = 250 * time.Millisecond
)

// Source provides the current snapshot; *health.Monitor is one.
type Source interface{ Current() *health.Snapshot }

// History provides the past, newest first; *history.History is one.
type History interface {
	Since(t time.Time) history.Page
	Samples() []history.Sample
	Changes() []history.Change
	// Version changes whenever something is added.
	Version() uint64
}

// SelfWatch reports whether the sidecar itself makes progress; *collector.SelfWatch is one.
type SelfWatch interface {
	// Stalled returns an error that names what makes no progress, or nil.
	Stalled(now time.Time) error
	// Stale reports whether the verdict is too old to be served.
	Stale(now time.Time) bool
}

// Access decides how connections are encrypted and which requests may be served.
type Access interface {
	// TLS returns the configuration of the TLS server, or nil for plain HTTP.
	TLS() *tls.Config
	// Admit reports whether a request may be served. Otherwise it has sent the reply. open is true for the health
	// endpoints, which need no password.
	Admit(w http.ResponseWriter, r *http.Request, open bool) bool
}

// Options are what the server needs.
type Options struct {
	// Listeners are where the server accepts connections. All serve the same routes; each may have an equal share of the
	// connections, so that clients of one port cannot use up those of another.
	Listeners []net.Listener
	// Hosts are the names, in lower case, that requests must have in their Host header, except those to the health
	// endpoints. Others get 421. None means that all names are served.
	Hosts []string
	// Access restricts who may read; *webconfig.File is one. nil means that all may, over plain HTTP.
	Access Access
	Source Source
	// Gatherer provides the metrics for /metrics; nil turns that path off.
	Gatherer prometheus.Gatherer
	// Census turns /signal/census on.
	Census bool
	// History is what /signal/history and the status page show of the past.
	History History
	// Consul is what is known of Consul; nil for a sidecar that does not use it.
	Consul ConsulSource
	// Fleet is what the page /fleet shows; nil turns that path off.
	Fleet Fleet
	// Page is what else the status page shows.
	Page PageOptions
	// SelfWatch is what /health reports; nil means that the sidecar makes progress.
	SelfWatch SelfWatch
	// Guard logs and counts the panics of requests.
	Guard *guard.Guard
	// OpenFiles is the number of files and sockets that the process may have open, 0 if that is not known.
	OpenFiles uint64

	MeterProvider metric.MeterProvider
	Logger        *slog.Logger
}

// Server is the HTTP server.
type Server struct {
	listeners []*limiter
	http      *http.Server
	encrypted bool // HTTPS
	bounds    *bounds
}

// New returns a Server that owns the listeners in its options, or an error if an instrument cannot be created.
func New(o Options) (*Server, error) {
	bounds := newBounds()
	handler, err := newHandler(o, bounds)
	if err != nil {
		return nil, err
	}
	evicted, err := newEvicted(o.MeterProvider)
	if err != nil {
		return nil, err
	}
	s := &Server{
		bounds: bounds,
		http: &http.Server{
			Handler:        handler,
			ReadTimeout:    readTimeout,
			WriteTimeout:   writeTimeout,
			IdleTimeout:    idleTimeout,
			MaxHeaderBytes: maxHeaderBytes,
			ErrorLog:       slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),

			HTTP2: &http.HTTP2Config{
				MaxConcurrentStreams: maxStreamsOfOne, MaxReadFrameSize: 16 << 10,
				MaxReceiveBufferPerConnection: 64 << 10, MaxReceiveBufferPerStream: 16 << 10, // no route reads a body
			},

			DisableGeneralOptionsHandler: true, // its reply to "OPTIONS *" would lack Cache-Control
		},
	}
	trackConnections(s.http)
	if o.Access != nil {
		s.http.TLSConfig = o.Access.TLS()
		s.encrypted = s.http.TLSConfig != nil
	}
	for _, l := range o.Listeners {
		s.listeners = append(s.listeners, newLimiter(l, o.connections(), o.Logger, evicted))
	}
	s.http.RegisterOnShutdown(bounds.streams.end) // streams do not end by themselves
	return s, nil
}

// connections returns the number of connections that each listener may have open.
func (o Options) connections() int {
	all := uint64(maxConnections)
	if o.Access != nil && o.Access.TLS() != nil {
		all = maxEncrypted
	}
	if o.OpenFiles > 0 {
		all = min(all, o.OpenFiles/2)
	}
	return max(1, int(all)/len(o.Listeners))
}

// Run serves until ctx ends, then gives requests in flight one second to finish. It returns nil, or an error if a
// listener failed; the failure of one listener ends all.
func (s *Server) Run(ctx context.Context) error {
	served, stopped := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		s.shutdown(context.WithoutCancel(ctx), served)
	})
	var serving errgroup.Group
	for _, l := range s.listeners {
		serving.Go(func() error {
			err := s.serve(l)
			if ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) { // shutdown or another listener has closed it
				return nil
			}
			defer s.http.Close() // ends the other listeners and the open connections, which would stay open otherwise
			return fmt.Errorf("http listener: %w", err)
		})
	}
	err := serving.Wait()
	close(served)
	if !stop() {
		<-stopped
	}
	return err
}

// shutdown closes the ports and gives the requests in flight one second to finish. A connection that was accepted just
// before gets a reply too: net/http closes it without one if its first request is read after the call of Shutdown.
func (s *Server) shutdown(ctx context.Context, served <-chan struct{}) {
	limit, cancel := context.WithTimeout(ctx, shutdownTime)
	defer cancel()
	for _, l := range s.listeners {
		_ = l.Close()
	}
	<-served
	s.awaitFirstRequests()
	if s.http.Shutdown(limit) != nil {
		_ = s.http.Close() // cuts off the requests that are left
	}
}

// awaitFirstRequests waits until every connection has sent a request, for at most firstRequestTime.
func (s *Server) awaitFirstRequests() {
	end, tick := time.NewTimer(firstRequestTime), time.NewTicker(time.Millisecond)
	defer end.Stop()
	defer tick.Stop()
	for slices.ContainsFunc(s.listeners, (*limiter).awaitsRequests) {
		select {
		case <-end.C:
			return
		case <-tick.C:
		}
	}
}

// serve serves HTTP on a listener, or HTTPS if there is a TLS configuration.
func (s *Server) serve(l net.Listener) error {
	if !s.encrypted { // net/http sets TLSConfig in any case
		return s.http.Serve(l)
	}
	return s.http.ServeTLS(l, "", "")
}

// newHandler returns the router. Each GET route also answers HEAD; another method gets a 405, another path a 404.
func newHandler(o Options, bounds *bounds) (http.Handler, error) {
	in, err := newInstruments(o.MeterProvider)
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	engine.Use(in.measure, noStore, isolate, gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, problem any) {
		o.Guard.Caught(c, guard.Handler, c.FullPath(), problem)
		c.AbortWithStatus(http.StatusInternalServerError)
	}), o.guard, bounds.turns.wait)

	get := func(path string, handler gin.HandlerFunc) {
		engine.GET(path, handler)
		engine.HEAD(path, handler)
	}
	h := &handlers{source: o.Source, watch: o.SelfWatch, census: bounds.census, consul: o.Consul, in: in}
	get("/health", h.self)
	get("/signal/health", h.nodeHealth)
	get("/about/health", h.nodeHealth)
	get("/signal/report", h.report)
	get("/signal/explain", h.explain)
	get("/openapi.json", h.describe)
	get("/signal/history", (&past{history: o.History, flights: bounds.history}).serve)
	if o.Census {
		get("/signal/census", h.showCensus)
	}
	if o.Gatherer != nil {
		get("/metrics", o.metricsHandler(bounds.scrapes, bounds.turns))
	}
	o.addFleet(get, bounds)
	return engine, o.addPage(get, bounds.streams)
}

// addPage adds the status page, its assets and its event stream.
func (o Options) addPage(get func(string, gin.HandlerFunc), streams *streams) error {
	p := &page{
		PageOptions: o.Page, source: o.Source, history: o.History, watch: o.SelfWatch, census: o.Census,
		consul: o.Consul, streams: streams,
		links: []string{"/signal/report", "/signal/explain", "/signal/history"},
	}
	if o.Gatherer != nil {
		p.links = append(p.links, "/metrics")
	}
	if o.Fleet != nil {
		p.other = &link{fleetPath, "fleet"}
	}
	get("/", p.show)
	get("/assets/:name", showAsset)
	get(eventsPath, p.events)
	return streams.register(o.MeterProvider)
}
