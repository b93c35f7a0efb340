package otel

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// exportCount counts the items of one signal by result, and logs when their export begins and ceases to fail. The
// SDK's own metrics of dropped items are experimental (OTEL_GO_X_OBSERVABILITY). Items are therefore counted when they
// are passed to a batch processor and when its exporter returns. An item for which the queue of the batch processor has
// no room is dropped here, so that the processor itself drops none.
type exportCount struct {
	signal string
	log    *slog.Logger // it does not export: else each failure would cause another
	room   atomic.Int64 // free places in the queue of the batch processor

	exported, failed, dropped atomic.Int64
	failing                   atomic.Bool
}

// admit reports whether an item may be passed to the batch processor. If not, the item is dropped.
func (c *exportCount) admit() bool {
	if c.room.Add(-1) >= 0 {
		return true
	}
	c.room.Add(1)
	c.dropped.Add(1)
	return false
}

// done counts a batch of n items that the exporter has finished.
func (c *exportCount) done(n int, err error) {
	c.room.Add(int64(n))
	if err != nil {
		c.failed.Add(int64(n))
		if !c.failing.Swap(true) {
			c.log.Warn("telemetry export began to fail", "signal", c.signal, "error", err)
		}
		return
	}
	c.exported.Add(int64(n))
	if c.failing.Swap(false) {
		c.log.Info("telemetry export works again", "signal", c.signal, "failed", c.failed.Load(), "dropped", c.dropped.Load())
	}
}

// registerExportCounts creates the metric of the counts.
func registerExportCounts(meter metric.Meter, counts []*exportCount) error {
	_, err := meter.Int64ObservableCounter("signal.otlp.items",
		metric.WithUnit("{item}"),
		metric.WithDescription("Number of spans, log records and metric collections by result: exported, "+
			"failed (the backend did not accept them) or dropped (the queue was full)."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			for _, c := range counts {
				observe := func(n *atomic.Int64, result string) {
					o.Observe(n.Load(), metric.WithAttributes(
						attribute.String("signal", c.signal), attribute.String("result", result)))
				}
				observe(&c.exported, "exported")
				observe(&c.failed, "failed")
				observe(&c.dropped, "dropped")
			}
			return nil
		}))
	if err != nil {
		return fmt.Errorf("create export instruments: %w", err)
	}
	return nil
}
