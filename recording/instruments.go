package recording

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// instruments count the steps that were written and the steps that were lost.
type instruments struct{ written, lost atomic.Int64 }

// register exports the counts. They start at 0, so that a rate includes the first loss.
func (i *instruments) register(provider metric.MeterProvider) error {
	written := metric.WithAttributes(attribute.String("result", "written"))
	lost := metric.WithAttributes(attribute.String("result", "lost"))
	_, err := provider.Meter("github.com/signal-sidecar/signal-sidecar/recording").Int64ObservableCounter(
		"signal.recording.steps", metric.WithUnit("{step}"),
		metric.WithDescription("Number of observations and changes by what became of them in the recording (RECORD_PATH): written, or lost (the disk was slow, full or gone)."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(i.written.Load(), written)
			o.Observe(i.lost.Load(), lost)
			return nil
		}))
	if err != nil {
		return fmt.Errorf("create recording instruments: %w", err)
	}
	return nil
}
