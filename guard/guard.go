// Package guard makes a panic fail one thing instead of the process: one poll, one call of a listener, one request.
// Each panic is logged with its stack and counted. Too many of them end the process, because its state cannot be
// trusted.
package guard

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Part is where a panic happened.
type Part string

// The parts. A handler is an HTTP request or a connection of HAProxy. Panics of a handler or of what uses Consul never
// end the process, because clients or Consul could then end it.
const (
	Poll     Part = "poll"
	Monitor  Part = "monitor"
	Listener Part = "listener"
	Handler  Part = "handler"
	Consul   Part = "consul"
)

// endsProcess reports whether too many panics of the part end the process.
func (p Part) endsProcess() bool { return p != Handler && p != Consul }

const (
	limit  = 3 // panics within window that end the process: see endsProcess
	window = time.Minute
)

// Guard catches panics. Its methods may be called from any goroutine. A nil Guard catches nothing.
type Guard struct {
	log     *slog.Logger
	panics  metric.Int64Counter
	tooMany chan error // holds the error that ends the process

	mu     sync.Mutex
	recent [limit]time.Time // of the latest panics outside of handlers, oldest first
}

// New returns a Guard, or an error if its instrument cannot be created.
func New(provider metric.MeterProvider, log *slog.Logger) (*Guard, error) {
	panics, err := provider.Meter("github.com/signal-sidecar/signal-sidecar/guard").Int64Counter("signal.panics",
		metric.WithUnit("{panic}"), metric.WithDescription(
			"Number of panics that were caught, by part: poll, monitor, listener, handler (a request or an agent check), or consul."))
	if err != nil {
		return nil, fmt.Errorf("create the instrument of panics: %w", err)
	}
	for _, part := range []Part{Poll, Monitor, Listener, Handler, Consul} {
		panics.Add(context.Background(), 0, in(part))
	}
	return &Guard{log: log, panics: panics, tooMany: make(chan error, 1)}, nil
}

func in(part Part) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("part", string(part)))
}

// Catch recovers from a panic of the function that defers it. name identifies what failed, such as a collector or a
// route.
func (g *Guard) Catch(ctx context.Context, part Part, name string) {
	if g == nil {
		return
	}
	if value := recover(); value != nil {
		g.Caught(ctx, part, name, value)
	}
}

// Caught logs and counts a panic with a value that the caller has recovered.
func (g *Guard) Caught(ctx context.Context, part Part, name string, value any) {
	stack := debug.Stack()
	if c, ok := value.(carried); ok {
		value, stack = c.value, c.stack
	}
	g.log.ErrorContext(ctx, "panic",
		"part", string(part), "name", name, "panic", fmt.Sprint(value), "stack", string(stack))
	g.panics.Add(ctx, 1, in(part))
	if part.endsProcess() && g.tooOften(time.Now()) {
		g.log.ErrorContext(ctx, "too many panics: the process ends", "panics", limit, "within", window.String())
		select {
		case g.tooMany <- fmt.Errorf("%d panics within %s, the last in %s %s: %v", limit, window, part, name, value):
		default:
		}
	}
}

// tooOften adds a panic and reports whether it is the limit-th within window.
func (g *Guard) tooOften(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	copy(g.recent[:], g.recent[1:])
	g.recent[limit-1] = now
	return !g.recent[0].IsZero() && now.Sub(g.recent[0]) < window
}

// Run returns an error when there were too many panics. It returns nil when ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-g.tooMany:
		return err
	}
}

// Loop runs a function again after each panic and a pause, until the function returns or ctx ends.
func (g *Guard) Loop(
	ctx context.Context, part Part, name string, pause time.Duration, run func(context.Context) error,
) error {
	for ctx.Err() == nil {
		if returned, err := g.once(ctx, part, name, run); returned {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

func (g *Guard) once(
	ctx context.Context, part Part, name string, run func(context.Context) error,
) (returned bool, err error) {
	defer g.Catch(ctx, part, name)
	err = run(ctx)
	return true, err
}

// carried is a panic that continues on another goroutine.
type carried struct {
	value any
	stack []byte
}

// Together runs functions concurrently and returns when all have returned. If one of them panics, Together then panics
// with the same value, and Catch logs the stack of the function.
func Together(functions ...func()) {
	panics := make([]carried, len(functions))
	var all sync.WaitGroup
	for i, f := range functions {
		all.Go(func() {
			defer func() {
				if value := recover(); value != nil {
					panics[i] = carried{value, debug.Stack()}
				}
			}()
			f()
		})
	}
	all.Wait()
	if i := slices.IndexFunc(panics, func(p carried) bool { return p.value != nil }); i >= 0 {
		panic(panics[i])
	}
}
