// Package dump runs an operator's script when a service turns unhealthy, while the evidence is fresh.
package dump

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/health"
)

// Options are the commands and the providers.
type Options struct {
	// Jicofo and Prosody are the command lines to run, a path and its arguments separated by spaces; "" runs nothing.
	Jicofo, Prosody string

	TracerProvider trace.TracerProvider
	Logger         *slog.Logger
}

// Listener returns a health.Listener that runs the script of a service when the service turns from healthy to
// unhealthy.
func Listener(o Options) health.Listener {
	tracer := o.TracerProvider.Tracer("github.com/signal-sidecar/signal-sidecar/dump")
	jicofo := &script{service: "jicofo", command: strings.Fields(o.Jicofo), tracer: tracer, log: o.Logger}
	prosody := &script{service: "prosody", command: strings.Fields(o.Prosody), tracer: tracer, log: o.Logger}
	return func(ctx context.Context, _ health.Step, after *health.Snapshot) {
		jicofo.update(ctx, after.Jicofo.Healthy())
		prosody.update(ctx, after.Prosody.Healthy())
	}
}

// script runs the command of one service. It never runs twice at the same time.
type script struct {
	service string
	command []string
	tracer  trace.Tracer
	log     *slog.Logger
	healthy bool // the service, after the previous step
	running atomic.Bool
}

// update starts the command if the service was healthy and no longer is.
func (s *script) update(ctx context.Context, healthy bool) {
	if s.healthy && !healthy {
		s.start(ctx)
	}
	s.healthy = healthy
}

// start runs the command without a shell. Its output goes to the standard error of the sidecar. It has its own
// session, so that it can continue when the sidecar ends.
func (s *script) start(ctx context.Context) {
	if len(s.command) == 0 {
		return
	}
	log := s.log.With("service", s.service, "command", s.command[0]) // its arguments may hold secrets
	if !s.running.CompareAndSwap(false, true) {
		log.WarnContext(ctx, "dump not started: the previous one is still running")
		return
	}
	ctx, span := s.tracer.Start(context.WithoutCancel(ctx), "dump "+s.service,
		trace.WithNewRoot(), trace.WithLinks(trace.LinkFromContext(ctx)),
		trace.WithAttributes(attribute.String("process.executable.path", s.command[0])))
	cmd := exec.Command(s.command[0], s.command[1:]...) //nolint:noctx // the command may run longer than any context
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	began := time.Now()
	// Starting a process can take milliseconds. The caller must not wait: it handles the next observation.
	go func() {
		defer span.End()
		err := cmd.Start()
		if err == nil {
			log.InfoContext(ctx, "dump started", "pid", cmd.Process.Pid)
			err = cmd.Wait()
		}
		s.running.Store(false) // before the end is logged
		if err != nil {
			span.SetAttributes(attribute.String("signal.error", err.Error()))
			span.SetStatus(codes.Error, "the script "+errtext.Command(err))
			log.ErrorContext(ctx, "dump failed", "detail", "the script "+errtext.Command(err), "error", err,
				"seconds", float64(time.Since(began).Milliseconds())/1e3)
			return
		}
		log.InfoContext(ctx, "dump finished", "seconds", float64(time.Since(began).Milliseconds())/1e3)
	}()
}
