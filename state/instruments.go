package state

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// instruments count the writes.
type instruments struct{ written, failed atomic.Int64 }

// register exports the counts. They start at 0, so that a rate includes the first failure.
func (i *instruments) register(provider metric.MeterProvider) error {
	written := metric.WithAttributes(attribute.String("result", "written"))
	failed := metric.WithAttributes(attribute.String("result", "failed"))
	_, err := provider.Meter("github.com/signal-sidecar/signal-sidecar/state").Int64ObservableCounter(
		"signal.state.writes", metric.WithUnit("{write}"),
		metric.WithDescription("Number of writes of the state that is kept over a restart (STATE_PATH) by result: written or failed."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(i.written.Load(), written)
			o.Observe(i.failed.Load(), failed)
			return nil
		}))
	if err != nil {
		return fmt.Errorf("create state instruments: %w", err)
	}
	return nil
}
