package main

import (
	"context"
	"errors"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"os"
	"slices"
	"time"

	"github.com/alecthomas/kong"
	"github.com/go-logr/logr"
	otelapi "go.opentelemetry.io/otel"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/signal-sidecar/signal-sidecar/agent"
	"github.com/signal-sidecar/signal-sidecar/collector"
	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/dump"
	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
	"github.com/signal-sidecar/signal-sidecar/otel"
	"github.com/signal-sidecar/signal-sidecar/recording"
	"github.com/signal-sidecar/signal-sidecar/rest"
	"github.com/signal-sidecar/signal-sidecar/state"
	"github.com/signal-sidecar/signal-sidecar/systemd"
	"github.com/signal-sidecar/signal-sidecar/telemetry"
	"github.com/signal-sidecar/signal-sidecar/webconfig"
)

const (
	// shutdownTime is the limit of the whole shutdown. The process then ends without waiting for the remaining parts.
	shutdownTime = 2 * time.Second
	// flushTime is the part of it in which telemetry may export what is left.
	flushTime = 500 * time.Millisecond
	// startSlack is added to PROBE_TIMEOUT for the longest time until the first verdict.
	startSlack = 10 * time.Second
	// deciding is the number of collectors that the verdict depends on: jicofo, prosody and the status file.
	deciding = 3
)

// serveCommand runs the sidecar.
type serveCommand struct{}

func (serveCommand) Run(ctx context.Context, line *kong.Context, env *config.Environment, std streams) error {
	c, err := config.Load(line, env)
	if err != nil {
		return err
	}
	surviveLogReader()
	return serve(ctx, c, logStream(std), func(*sidecar) {})
}

// sidecar contains all parts that run, connected to each other.
type sidecar struct {
	telemetry  *telemetry.Telemetry
	monitor    *health.Monitor
	guard      *guard.Guard
	selfWatch  *collector.SelfWatch
	agents     []*agent.Agent // the ordinary port, and the port that holds connections
	rest       *rest.Server
	web        *webconfig.File // nil without WEB_CONFIG_FILE
	collectors []collector.Collector
	history    *history.History
	recorder   *recording.Recorder // nil without RECORD_PATH
	state      *state.Keeper       // nil without STATE_PATH
	consul     consulParts
	notifier   *systemd.Notifier // nil without NOTIFY_SOCKET
	http, tcp  net.Listener
	held       net.Listener // nil without TCP_HOLD_PORT
	pagePort   net.Listener // nil without PAGE_PORT
	log        *slog.Logger
	flushLog   func() // writes what is logged until now
}

// serve runs a sidecar, which logs to out, until ctx ends. It calls ready once the ports are open.
func serve(ctx context.Context, c config.Config, out io.Writer, ready func(*sidecar)) error {
	c.Rules.Instance = otel.NewInstance()
	queue := otel.NewLogQueue(out)
	defer queue.Close(flushTime)
	s, err := newSidecar(ctx, c, newLogHandler(c, queue))
	switch {
	case ctx.Err() != nil: // a signal ended ctx before the sidecar had started
		return nil
	case err != nil:
		return err
	}
	if err := errors.Join(
		queue.Register(s.telemetry.MeterProvider),
		registerNotices(s.telemetry.MeterProvider, len(c.Notices)),
	); err != nil {
		return err
	}
	s.flushLog = func() { queue.Close(flushTime) }
	limitMemory(c.Rules.Census, s.log)
	for _, notice := range c.Notices {
		s.log.WarnContext(ctx, "setting is not in force as given", "notice", notice)
	}
	started := []any{"version", otel.ReadBuild().Version, "http", s.http.Addr().String(), "agent", s.tcp.Addr().String()}
	if s.pagePort != nil {
		started = append(started, "page", s.pagePort.Addr().String())
	}
	if s.held != nil {
		started = append(started, "agent_hold", s.held.Addr().String())
	}
	s.log.InfoContext(ctx, "signal-sidecar started", append(started, "status_path", c.StatusPath)...)
	ready(s)
	return s.run(ctx)
}

// quietSDK sends what libraries log by global loggers to the debug log: the events that matter are logged where they
// are counted. It turns off OpenTelemetry's internal log, which contains the settings, also secret ones.
func quietSDK(log *slog.Logger) {
	otelapi.SetLogger(logr.Discard())
	otelapi.SetErrorHandler(otelapi.ErrorHandlerFunc(func(err error) {
		log.Debug("OpenTelemetry SDK error", "error", err)
	}))
	stdlog.SetOutput(slog.NewLogLogger(log.Handler(), slog.LevelDebug).Writer())
}

// newSidecar makes and connects all parts, and opens the ports.
func newSidecar(ctx context.Context, c config.Config, handler slog.Handler) (_ *sidecar, err error) {
	s := new(sidecar)
	defer func() {
		if err != nil {
			s.closeListeners()
		}
	}()
	quietSDK(slog.New(handler))
	s.telemetry, err = telemetry.New(ctx, telemetry.Options{Keep: telemetry.Keep(c.TraceKeep), Options: otel.Options{
		Build: otel.ReadBuild(), Instance: c.Rules.Instance, Prometheus: c.Metrics, Log: handler,
	}})
	if err != nil {
		return nil, err
	}
	tp, mp, log := s.telemetry.TracerProvider, s.telemetry.MeterProvider, s.telemetry.Logger
	s.log = log
	if s.guard, err = guard.New(mp, log); err != nil {
		return nil, err
	}

	dumps := dump.Listener(dump.Options{Jicofo: c.JicofoDump, Prosody: c.ProsodyDump, TracerProvider: tp, Logger: log})
	keepers, err := s.keepHistory(c)
	if err != nil {
		return nil, err
	}
	stateListeners, err := s.keepState(c)
	if err != nil {
		return nil, err
	}
	if s.consul, err = s.newConsul(c); err != nil {
		return nil, err
	}
	listeners := slices.Concat(stateListeners,
		[]health.Listener{s.guarded("telemetry", s.telemetry.Listen), s.guarded("dump", dumps)}, keepers,
		s.consulListeners())
	s.monitor = health.NewMonitor(c.Rules, listeners...)
	s.restoreState(ctx)
	if err := s.telemetry.Watch(s.monitor); err != nil {
		return nil, err
	}
	if s.collectors, err = newCollectors(c, s); err != nil {
		return nil, err
	}
	s.selfWatch = newSelfWatch(c, s)
	s.notifier = s.newNotifier(c)
	if err := s.listen(ctx, c); err != nil {
		return nil, err
	}
	if err := s.addAgents(c); err != nil {
		return nil, err
	}
	return s, s.addREST(c)
}

// addREST makes the server of the HTTP ports.
func (s *sidecar) addREST(c config.Config) (err error) {
	if s.web, err = openWebConfig(c, s.log); err != nil {
		return err
	}
	s.rest, err = rest.New(rest.Options{
		Listeners: s.httpListeners(), Hosts: c.HTTPHosts, Access: s.restAccess(),
		Source: s.monitor, Gatherer: s.telemetry.Gatherer, Census: c.Rules.Census, History: s.history,
		Consul: s.consul.source(), Fleet: s.consul.fleetPage(), SelfWatch: s.selfWatch, Guard: s.guard,
		Page: pageOptions(c), OpenFiles: openFiles(), MeterProvider: s.telemetry.MeterProvider, Logger: s.log,
	})
	return err
}

// keepHistory makes the history and, with RECORD_PATH, the recorder. It returns their listeners.
func (s *sidecar) keepHistory(c config.Config) (_ []health.Listener, err error) {
	s.history = history.New()
	if c.RecordPath == "" {
		return []health.Listener{s.guarded("history", s.history.Listen)}, nil
	}
	s.recorder, err = recording.NewRecorder(recording.Options{
		Path: c.RecordPath, MaxSize: c.RecordMaxSize, MeterProvider: s.telemetry.MeterProvider, Logger: s.log,
	})
	return []health.Listener{
		s.guarded("history", s.history.Listen), s.guarded("recording", s.recorder.Listen),
	}, err
}

func newCollectors(c config.Config, s *sidecar) ([]collector.Collector, error) {
	authorities, err := probeAuthorities(c)
	if err != nil {
		return nil, err
	}
	o := collector.Options{
		Interval: c.Interval, Recovery: c.Recovery, Timeout: c.Timeout, Retries: c.Retries, Observe: s.monitor.Observe,
		Tolerates:      func(service string) bool { return s.monitor.Current().Tolerates(service) },
		UserAgent:      "signal-sidecar/" + otel.ReadBuild().Version,
		RootCAs:        authorities,
		TracerProvider: s.telemetry.TracerProvider, MeterProvider: s.telemetry.MeterProvider, Logger: s.log, Guard: s.guard,
	}
	jicofo, errJ := collector.NewJicofo(c.JicofoOrigin, o)
	prosody, errP := collector.NewProsody(c.ProsodyOrigin, o)
	status, errS := collector.NewStatusFile(c.StatusPath, o)
	all := []collector.Collector{jicofo, prosody, status} // overdue needs this order: see deciding
	if c.Rules.Census {
		census, err := collector.NewCensus(c.ProsodyOrigin, c.CensusHost, o)
		return append(all, census), errors.Join(errJ, errP, errS, err)
	}
	return all, errors.Join(errJ, errP, errS)
}

// overdue reports whether a collector that the verdict depends on is overdue. The census is not one of them. It is
// called at each agent check.
func (s *sidecar) overdue(now time.Time) bool {
	for _, c := range s.collectors[:deciding] {
		if c.Overdue(now) != nil {
			return true
		}
	}
	return false
}

func (s *sidecar) newNotifier(c config.Config) *systemd.Notifier {
	return systemd.New(systemd.Options{
		StartTimeout: c.Timeout + startSlack, Current: s.monitor.Current, Logger: s.log, Stalled: s.selfWatch.Stalled,
	})
}

// addAgents makes the agents that reply on the agent ports.
func (s *sidecar) addAgents(c config.Config) error {
	o := agent.Options{
		Listener: s.tcp, Allow: c.TCPAllow, Source: s.monitor, Overdue: s.overdue, OpenFiles: openFiles(),
		MeterProvider: s.telemetry.MeterProvider, Logger: s.log, Guard: s.guard,
	}
	ordinary, err := agent.New(o)
	if err != nil {
		return err
	}
	s.agents = append(s.agents, ordinary)
	if s.held == nil {
		return nil
	}
	o.Listener, o.Hold = s.held, c.Hold
	held, err := agent.New(o)
	s.agents = append(s.agents, held)
	return err
}

// openFiles returns how many files and sockets this process may have open, or 0 if the limit is unknown.
func openFiles() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return limit.Cur
}

// httpListeners returns the listeners of the REST server.
func (s *sidecar) httpListeners() []net.Listener {
	if s.pagePort == nil {
		return []net.Listener{s.http}
	}
	return []net.Listener{s.http, s.pagePort}
}

func (s *sidecar) closeListeners() {
	for _, l := range []net.Listener{s.tcp, s.held, s.http, s.pagePort} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// run runs every part until ctx ends or one part fails. It then ends all parts, telemetry last.
func (s *sidecar) run(ctx context.Context) error {
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return s.runMonitor(ctx) })
	parts.Go(func() error { return s.guard.Run(ctx) })
	parts.Go(func() error { return s.selfWatch.Run(ctx) })
	for _, c := range s.collectors {
		parts.Go(func() error { return c.Run(ctx) })
	}
	for _, a := range s.agents {
		parts.Go(func() error { return a.Run(ctx) })
	}
	parts.Go(func() error { return s.rest.Run(ctx) })
	s.consul.start(ctx, parts, s.guard)
	if s.web != nil {
		parts.Go(func() error { return s.web.Run(ctx) })
	}
	if s.recorder != nil {
		parts.Go(func() error { return s.recorder.Run(ctx) })
	}
	if s.state != nil {
		parts.Go(func() error { return s.state.Run(ctx) })
	}
	if s.notifier != nil {
		parts.Go(func() error { return s.notifier.Run(ctx) })
	}

	ended := make(chan struct{})
	defer close(ended)
	context.AfterFunc(ctx, func() { s.limitShutdown(ended) })
	err := parts.Wait()
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	if flushErr := s.telemetry.Shutdown(flush); flushErr != nil {
		s.log.Warn("telemetry not handed out to the end", "error", flushErr)
	}
	s.log.Info("signal-sidecar stopped")
	return err
}

// limitShutdown ends the process, with the log written, when the shutdown takes longer than shutdownTime, for example
// because a read of the status file hangs in the kernel.
func (s *sidecar) limitShutdown(ended <-chan struct{}) {
	s.log.Info("signal-sidecar is stopping")
	select {
	case <-ended:
	case <-time.After(shutdownTime):
		s.log.Error("shutdown took too long", "limit", shutdownTime.String())
		s.flushLog()
		os.Exit(exitFailure)
	}
}
