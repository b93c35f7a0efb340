package otel

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
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
	failing, warned           atomic.Bool
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
	failed := int64(n)
	if rejected, ok := partialSuccess(err); ok {
		failed = min(max(rejected, 0), failed)
	}
	c.failed.Add(failed)
	c.exported.Add(int64(n) - failed)
	if failed > 0 {
		if !c.failing.Swap(true) {
			c.log.Warn("telemetry export began to fail", "signal", c.signal, "error", err)
		}
		return
	}
	if err != nil && !c.warned.Swap(true) {
		c.log.Warn("telemetry backend accepts the data with a warning", "signal", c.signal, "error", err)
	}
	if c.failing.Swap(false) {
		c.log.Info("telemetry export works again", "signal", c.signal, "failed", c.failed.Load(), "dropped", c.dropped.Load())
	}
}

// partialSuccess returns how many items (data points for metrics) the backend rejected of a batch that it accepted.
// ok is false for any other error, and true for nil. The type of the error is in an internal package of each exporter,
// so it is found by its name.
func partialSuccess(err error) (rejected int64, ok bool) {
	switch e := err.(type) { //nolint:errorlint // the whole tree is looked at
	case nil:
		return 0, true
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			n, ok := partialSuccess(part)
			if !ok {
				return 0, false
			}
			rejected += n
		}
		return rejected, true
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return partialSuccess(inner)
		}
		return 0, false
	}
	v := reflect.ValueOf(err)
	if v.Kind() != reflect.Struct || v.Type().Name() != "PartialSuccess" {
		return 0, false
	}
	items := v.FieldByName("RejectedItems")
	if !items.CanInt() {
		return 0, false
	}
	return items.Int(), true
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
